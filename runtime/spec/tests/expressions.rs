//! What expressions mean: by hand, and against the interpreter of the `cel` crate, which the evaluator does not use.

use serde_json::{Value, json};
use trackside_spec::{Expr, Scope, Template};

fn documents() -> [Value; 4] {
    [
        json!({"threshold": 0.85, "n": 3, "name": "pump", "big": 18_446_744_073_709_551_615_u64, "list": [1, 2.0, "x"]}),
        json!({"kind": "file", "file": {"name": "a.csv", "path": "/in/box/a.csv"}, "scheduled": null}),
        json!({"score": {"outputs": {"score": [0.9, 0.1]}, "n": 2, "rows": [{"v": 1}, {"v": 5}, {"v": 3}], "empty": null}}),
        json!({"id": "r1", "workflow": "w"}),
    ]
}

fn eval(text: &str) -> Result<Value, String> {
    let [params, trigger, steps, run] = documents();
    let scope = Scope::new(&params, &trigger, &steps, &run);
    Expr::compile(text).map_err(|error| error.to_string())?.eval(&scope).map_err(|error| error.to_string())
}

#[track_caller]
fn means(text: &str, expected: Value) {
    assert_eq!(eval(text), Ok(expected), "{text}");
}

#[track_caller]
fn fails(text: &str, part: &str) {
    let error = eval(text).expect_err(text);
    assert!(error.contains(part), "{text}: {error:?} does not contain {part:?}");
}

#[test]
fn conditions_read_the_documents() {
    means("steps.score.outputs.score[0] > params.threshold", json!(true));
    means("trigger.file.name.endsWith('.csv') && run.id == 'r1'", json!(true));
    means("steps.score.rows.filter(r, r.v > 2).map(r, r.v)", json!([5, 3]));
    means("steps.score['outputs'][\"score\"][1]", json!(0.1));
    means("params.list", json!([1, 2.0, "x"]));
    means("{'a': params.n, 'b': [run.id]}", json!({"a": 3, "b": ["r1"]}));
    means("steps.score.rows.all(r, r.v > 0) ? 'ok' : 'bad'", json!("ok"));
    means("'v' in steps.score.rows[0] && !('w' in steps.score.rows[0])", json!(true));
}

#[test]
fn one_and_one_point_zero_are_the_same_number() {
    for text in [
        "1 < 1.5",
        "1.5 > 1",
        "1 == 1.0",
        "params.list[1] == 2",
        "2 in params.list",
        "[1, 2] == [1.0, 2.0]",
        "params.n * 0.5 == 1.5",
        "params.big > 1.5",
        "1 < params.big",
        "9007199254740993 > 9007199254740992.0",
        "-1 > -1.5",
        "params.list[2.0] == 'x'",
        "1u == 1",
        "!(0.0 / 0.0 == 0.0 / 0.0)",
    ] {
        means(text, json!(true));
    }
}

#[test]
fn has_is_false_for_null_and_for_what_is_missing_on_the_way() {
    means("has(steps.score.n)", json!(true));
    for text in ["has(steps.score.empty)", "has(steps.nope.n)", "has(steps.score.a.b.c)", "has(trigger.scheduled)"] {
        means(text, json!(false));
    }
    means("trigger.scheduled == null && steps.nope == null", json!(true));
    fails("has(params.name.x)", "`has` needs an object, not the text \"pump\"");
}

#[test]
fn errors_of_the_data_say_what_was_there() {
    fails("steps.score.outputs.scor", "`steps.score.outputs` has no key `scor`; it has score");
    fails("steps.nope.x", "`steps.nope` is null and has no `x`; ask has(…) first");
    fails("steps.score.outputs.score[2]", "the number 2 is outside of a list of 2");
    fails("steps.score.outputs.score[-1]", "outside of a list");
    fails("params.name + 1", "write string(…) around");
    fails("params.name > 1", "`>` does not work on the text \"pump\" and the number 1");
    fails("params.n / 0", "division by zero");
    fails("9223372036854775807 + 1", "does not fit into 64 bits");
    fails("-(-9223372036854775807 - 1)", "does not fit into 64 bits");
    fails("1.0 / 0.0", "the result is inf, which JSON cannot hold");
    fails("nonsense", "there is nothing called `nonsense`");
    fails("'a'.substring(2)", "2 is outside of a text of 1 characters");
}

#[test]
fn a_deciding_side_makes_the_other_sides_error_irrelevant() {
    means("true || params.nope.x", json!(true));
    means("params.nope.x || true", json!(true));
    means("params.nope.x && false", json!(false));
    means("[1, 2].exists(x, x == 2 || params.nope.x == 1)", json!(true));
    means("['a', 1].exists(x, x > 0)", json!(true));
    fails("params.nope.x || false", "null");
    fails("[1].all(x, params.nope.x)", "null");
}

#[test]
fn functions_work_as_documented() {
    means("basename(trigger.file.path)", json!("a.csv"));
    means("trigger.file.path.basename()", json!("a.csv"));
    means("'a,b'.split(',').join('-') + 'X'.lowerAscii()", json!("a-bx"));
    means("size('grüße') + size([1]) + {'a': 1}.size()", json!(7));
    means("'grüße'.substring(2, 4)", json!("üß"));
    means("'hello'.indexOf('l')", json!(2));
    means("' x '.trim().upperAscii()", json!("X"));
    means("'aXbX'.replace('X', '--')", json!("a--b--"));
    means("params.name.matches('^p.m')", json!(true));
    means("[int('7'), int(7.9), int(-7.9)]", json!([7, 7, -7]));
    means("[string(1.5), string(true), string(3)]", json!(["1.5", "true", "3"]));
    means("double('1.5') + double(1)", json!(2.5));
    means("[1, 2, 3].exists_one(x, x > 2)", json!(true));
    means("[1, 2, 3].map(x, x > 1, x * 10)", json!([20, 30]));
    fails("int('x')", "int(x) does not work on the text \"x\"");
    fails("now()", "there is no clock");
    fails("siez(params)", "did you mean `size`?");
    fails("size(1, 2)", "write size(x) or x.size()");
    fails("exists(params.list)", "write list.exists(x, …)");
    fails("params.name.matches(params.name)", "must be a literal text");
    fails("params.name.matches('(')", "no regular expression");
}

#[test]
fn names_are_found_with_their_places() {
    let names = |text: &str| -> Vec<(String, usize)> {
        let expr = Expr::compile(text).unwrap();
        expr.names().iter().map(|name| (name.path.join("."), name.offset)).collect()
    };
    assert_eq!(
        names("steps.score.outputs.score[0] > params.threshold"),
        [("steps.score.outputs.score".to_owned(), 0), ("params.threshold".to_owned(), 31)]
    );
    assert_eq!(names("params.list.exists(x, x == run.id)"), [("params.list".to_owned(), 0), ("run.id".to_owned(), 27)]);
    assert_eq!(names("has(steps.a.b) && steps['a'].c"), [("steps.a.b".to_owned(), 4), ("steps.a.c".to_owned(), 4)]);
    assert_eq!(names("steps[params.x].y"), [("steps".to_owned(), 0), ("params.x".to_owned(), 6)]);
    assert_eq!(names("[1].map(params, params)"), []);
    assert_eq!(names("foo + 1"), [("foo".to_owned(), 0)]);
}

#[test]
fn what_cannot_be_evaluated_cheaply_is_refused_or_stopped() {
    fails("[1].map(a, [1].map(b, [1].map(c, c)))", "two deep");
    fails(&format!("{}1{}", "(".repeat(60), ")".repeat(60)), "nested too deeply");
    fails(&"!".repeat(4000), "nested too deeply");
    fails(&format!("{}1", "true ? 1 : ".repeat(300)), "nested too deeply");
    fails(&format!("1{}", "+1".repeat(400)), "nested too deeply");
    fails(&"a".repeat(5000), "4096 bytes");
    fails(&"[".repeat(4000), "nested too deeply");
    let thousand = format!("[{}]", vec!["1"; 400].join(","));
    let params = json!({"l": vec![1; 5_000]});
    let empty = json!({});
    let scope = Scope::new(&params, &empty, &empty, &empty);
    let heavy = Expr::compile("params.l.all(a, params.l.all(b, a == b))").unwrap();
    assert!(heavy.eval(&scope).unwrap_err().message.contains("more work"), "{thousand}");
    // The limit is not an error that another side can make irrelevant.
    let heavy = Expr::compile("true && (params.l.all(a, params.l.all(b, a == b)) || true)").unwrap();
    assert!(heavy.eval(&scope).is_err());
    let swelling = Expr::compile("'aaaaaaaaaaaaaaaa'.replace('a', params.t).replace('a', params.t)").unwrap();
    let params = json!({"t": "a".repeat(100_000)});
    assert!(swelling.eval(&Scope { params: &params, ..scope }).unwrap_err().message.contains("more work"));
}

#[test]
fn a_condition_must_be_true_or_false() {
    let [params, trigger, steps, run] = documents();
    let scope = Scope::new(&params, &trigger, &steps, &run);
    assert_eq!(Expr::compile("params.n == 3").unwrap().eval_bool(&scope), Ok(true));
    let error = Expr::compile("params.n").unwrap().eval_bool(&scope).unwrap_err();
    assert_eq!(error.message, "`params.n` must be true or false, but it is the number 3");
    assert_eq!(error.code, "TS-0111");
}

#[test]
fn syntax_errors_say_where() {
    for (text, offset, part) in [
        ("params.x = 1", 9, "write `==`"),
        ("1 +", 3, "ends too early"),
        ("", 0, "is empty"),
        ("a & b", 2, "write `&&`"),
        ("'open", 0, "no end"),
        ("é", 0, "unexpected character 'é'"),
        ("a b", 2, "unexpected `b`"),
        ("size(", 5, "too early"),
        ("b'x'", 0, "bytes do not exist"),
        ("a{b: 1}", 0, "messages do not exist"),
        ("1 + nope(2)", 4, "no function `nope`"),
        ("a.?b", 0, ""),
        ("for", 0, "reserved word"),
    ] {
        let error = Expr::compile(text).expect_err(text);
        assert!(error.message.contains(part), "{text}: {}", error.message);
        assert!(offset == 0 || error.offset == Some(offset), "{text}: {:?}", error.offset);
        assert_eq!(error.code, "TS-0105");
    }
}

#[test]
fn templates_keep_types_and_render_text() {
    let [params, trigger, steps, run] = documents();
    let scope = Scope::new(&params, &trigger, &steps, &run);
    let document = json!({
        "whole": "${params.n}",
        "list": ["${steps.score.outputs.score}", 1, "x"],
        "text": "n=${params.n} l=${params.list} s=${params.name} z=${trigger.scheduled}",
        "literal": "costs $5, $${not} ${'}'} $",
        "braces": "${{'a': {'b': params.n}}.a.b}",
        "constant": {"a": [1, {"b": "$${x}"}]},
    });
    let template = Template::compile(&document).unwrap();
    assert_eq!(
        template.eval(&scope).unwrap(),
        json!({
            "whole": 3,
            "list": [[0.9, 0.1], 1, "x"],
            "text": "n=3 l=[1,2.0,\"x\"] s=pump z=null",
            "literal": "costs $5, ${not} } $",
            "braces": 3,
            "constant": {"a": [1, {"b": "${x}"}]},
        })
    );
    assert!(!template.is_constant());
    assert_eq!(template.constant_at(&["constant", "a", "1", "b"]), Some(&json!("${x}")));
    assert_eq!(template.constant_at(&["list", "1"]), Some(&json!(1)));
    assert_eq!(template.constant_at(&["list"]), None);
    assert_eq!(template.constant_at(&["whole"]), None);
    assert_eq!(template.constant_at(&["nope"]), None);
    let constant = Template::compile(&json!({"a": "b"})).unwrap();
    assert!(constant.is_constant());
    assert_eq!(constant.constant_at(&[]), Some(&json!({"a": "b"})));
}

#[test]
fn a_template_error_names_its_place_in_the_document() {
    let [params, trigger, steps, run] = documents();
    let scope = Scope::new(&params, &trigger, &steps, &run);
    let template = Template::compile(&json!({"a": ["x", {"b": "${steps.score.zip}"}]})).unwrap();
    let error = template.eval(&scope).unwrap_err();
    assert!(error.message.starts_with("at a.1.b: `steps.score.zip`: `steps.score` has no key `zip`"), "{error}");
    let problems = Template::compile(&json!({"a": "ok ${1 +}", "b": ["${"], "${c}": 1})).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.path.join("."), problem.offset)).collect();
    assert_eq!(places, [("a".to_owned(), Some(8)), ("b.0".to_owned(), Some(0)), ("${c}".to_owned(), None)]);
}

#[test]
fn many_small_expressions_share_one_budget() {
    let params = json!({"text": "x".repeat(1 << 20)});
    let empty = json!({});
    let scope = Scope::new(&params, &empty, &empty, &empty);
    let template = Template::compile(&json!(vec!["${params.text}"; 40])).unwrap();
    assert!(template.eval(&scope).unwrap_err().message.contains("more work"));
}

#[test]
fn expressions_and_templates_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expr>();
    shared::<Template>();
}

/// The evaluator agrees with the interpreter of the `cel` crate wherever the language is not changed on purpose.
#[test]
fn the_evaluator_agrees_with_the_cel_interpreter() {
    let leaves = [
        "1", "2", "0", "-3", "1.5", "true", "false", "'a'", "'bc'", "''", "[1, 2]", "['a']", "{'a': 1}", "n", "t", "l",
    ];
    let shapes = [
        "A + B",
        "A - B",
        "A * B",
        "A / B",
        "A % B",
        "A == B",
        "A != B",
        "A < B",
        "A >= B",
        "A in B",
        "A && B",
        "A || B",
        "!A",
        "-A",
        "A ? B : A",
        "A[B]",
        "[A, B]",
        "{'k': A}",
        "size(A)",
        "A.contains(B)",
        "A.startsWith(B)",
        "A.exists(x, x == B)",
        "A.all(x, x == B)",
        "A.map(x, [x, B])",
        "A.filter(x, x != B)",
        "A.exists_one(x, x == B)",
        "A.map(x, x != B, x)",
        "has({'a': A}.a)",
        "{'a': A}.a",
        "string(A)",
        "int(A)",
        "double(A)",
        "A.endsWith(B) || A == B",
        "[A].map(x, [B].map(y, [x, y]))",
        "(A == B) == (B == A)",
        "A + A + B",
    ];
    let env = std::sync::Arc::new(cel::Env::stdlib());
    let params = json!({"n": 7, "t": "bcd", "l": [1, "a", 2.5]});
    let empty = json!({});
    let scope = Scope::new(&params, &empty, &empty, &empty);
    let (mut compared, mut values) = (0, 0);
    let mut differences = Vec::new();
    for shape in shapes {
        for a in leaves {
            for b in leaves {
                // Signed operands need brackets: `A - B` with `-3`.
                let text = shape.replace('A', &format!("({a})")).replace('B', &format!("({b})"));
                let named = ["n", "t", "l"]
                    .iter()
                    .fold(text.clone(), |text, name| text.replace(&format!("({name})"), &format!("params.{name}")));
                let Ok(program) = env.compile(&text) else { continue };
                let mut context = cel::Context::with_env(env.clone());
                context.add_variable("n", 7i64).unwrap();
                context.add_variable("t", "bcd").unwrap();
                context.add_variable("l", cel::to_value(json!([1, "a", 2.5])).unwrap()).unwrap();
                let theirs = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| program.execute(&context)));
                let Ok(theirs) = theirs else { continue };
                let ours = Expr::compile(&named).unwrap_or_else(|error| panic!("{named}: {error}")).eval(&scope);
                compared += 1;
                match (&theirs, &ours) {
                    (Ok(theirs), Ok(ours)) => {
                        values += 1;
                        if !same(theirs, ours) {
                            differences.push(format!("{text}: {theirs:?}, here {ours}"));
                        }
                    }
                    (Ok(theirs), Err(error)) => {
                        let not_json = format!("{theirs:?}").contains("inf") || format!("{theirs:?}").contains("NaN");
                        // There a list takes the keys of a map that is added to it, which CEL does not say.
                        let list_plus_map = text.contains("+ ({'a': 1})");
                        if !not_json && !list_plus_map {
                            differences.push(format!("{text}: {theirs:?}, here {error}"));
                        }
                    }
                    (Err(_), Err(_)) => {}
                    (Err(theirs), Ok(ours)) => {
                        if !extension(&text) {
                            differences.push(format!("{text}: {theirs}, here {ours}"));
                        }
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared > 8_000 && values > 2_500, "{compared} compared, {values} values");
}

/// Where this language gives a value and CEL an error: integers and doubles mix.
fn extension(text: &str) -> bool {
    text.contains("1.5") || text.contains("(l)")
}

fn same(theirs: &cel::Value, ours: &Value) -> bool {
    match (theirs, ours) {
        (cel::Value::Null, Value::Null) => true,
        (cel::Value::Bool(theirs), Value::Bool(ours)) => theirs == ours,
        (cel::Value::Int(theirs), ours) => ours.as_i64() == Some(*theirs),
        (cel::Value::UInt(theirs), ours) => ours.as_u64() == Some(*theirs),
        (cel::Value::Float(theirs), ours) => ours.is_f64() && ours.as_f64() == Some(*theirs),
        (cel::Value::String(theirs), Value::String(ours)) => theirs.as_str() == ours,
        (cel::Value::List(theirs), Value::Array(ours)) => {
            theirs.len() == ours.len() && theirs.iter().zip(ours).all(|(theirs, ours)| same(theirs, ours))
        }
        (cel::Value::Map(theirs), Value::Object(ours)) => {
            theirs.map.len() == ours.len()
                && ours.iter().all(|(key, ours)| {
                    theirs
                        .map
                        .get(&cel::objects::Key::String(std::sync::Arc::new(key.clone())))
                        .is_some_and(|theirs| same(theirs, ours))
                })
        }
        _ => false,
    }
}
