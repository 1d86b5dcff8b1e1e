//! `plugin test`

use std::fs;

use crate::project::Author;

const GOOD: &str = "description: three rows, one bad
with: { contract: { columns: { v: { type: number } } } }
artifacts:
  file: { text: \"v\\n1\\n2\\n\", name: a.csv, media_type: text/csv }
expect:
  max_memory: 16MiB
";

#[test]
fn a_case_that_holds_passes_and_tells_what_it_cost() {
    let author = Author::new("csv-check.wasm").built();
    author.case("good", GOOD);
    let ran = author.run(&["plugin", "test"]).ok();
    assert!(ran.stdout.contains("✔ good") && ran.stdout.contains("1 passed, 0 failed"), "{}", ran.stdout);
    let document = author.run(&["plugin", "test", "--json"]).ok().json();
    assert_eq!(document[0]["passed"], true);
    assert!(document[0]["memory"].as_u64().unwrap() > 0, "{document}");
}

#[test]
fn what_a_plugin_does_otherwise_is_told_by_name() {
    let author = Author::new("echo.wasm").built();
    author.case("output", "with: { value: 1 }\nexpect: { output: { value: 2 }, max_memory: 1KiB }\n");
    author.case("error", "with: { value: 1 }\nexpect: { error: { code: as-asked } }\n");
    author.case("log", "with: { value: 1 }\nexpect: { logs: [{ level: info, contains: never }] }\n");
    let ran = author.run(&["plugin", "test"]).exits(1);
    for says in [
        "✘ output",
        "output: {\"value\":1}, expected {\"value\":2}",
        "memory:",
        "✘ error",
        "outcome: done, expected error",
        "✘ log",
        "\"never\"",
        "0 passed, 3 failed",
    ] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
}

#[test]
fn state_artifacts_and_errors_can_be_expected() {
    let author = Author::new("testing/misbehave.wasm").built();
    author.case(
        "state",
        "with: { mode: count }\nallow: { state: true }\nworkflow_state: { count: 4 }\n\
         expect: { output: { mode: count, count: 5 }, workflow_state: { count: 5 } }\n",
    );
    author.case(
        "artifact",
        "with: { mode: write, n: 3 }\n\
         expect: { artifacts: { out: { text: xxx, size: 3, name: out.bin, base64: eHh4 } } }\n",
    );
    author.case(
        "error",
        "with: { mode: fail }\nexpect: { error: { code: as-asked, retryable: false, message: asked } }\n",
    );
    author.case("skip", "with: { mode: skip }\nexpect: { skipped: asked }\n");
    author.case("denied", "with: { mode: state }\nexpect: { error: { code: denied } }\n");
    author.case("clock", "with: { mode: clock }\nclock: 2026-03-01T00:00:00Z\n");
    author.case("file", "with: { mode: read }\nartifacts: { in: { file: data.bin } }\n");
    fs::write(author.folder.path().join("tests/data.bin"), [0u8; 100]).unwrap();
    let ran = author.run(&["plugin", "test"]).ok();
    assert!(ran.stdout.contains("7 passed"), "{}", ran.stdout);
}

#[test]
fn a_model_of_the_case_answers_without_an_engine() {
    let author = Author::new("testing/misbehave.wasm").built();
    author.case(
        "model",
        "with: { mode: model, target: mine }\nallow: { models: [mine] }\nmodels: { mine: { outputs: { y: [[1, 2]] } } }\n",
    );
    author.run(&["plugin", "test"]).ok();
}

#[test]
fn a_wrong_case_is_told_with_its_place() {
    let author = Author::new("echo.wasm").built();
    for (text, says) in [
        ("expects: {}\n", "did you mean `expect`"),
        ("with: { value: 1 }\nclock: yesterday\n", "TS-0908"),
        ("artifacts: { nothing: { text: a } }\n", "no input port `nothing`"),
        ("allow: { htp: [] }\n", "htp"),
        ("with: { value: 1 }\nhttp: [{ request: { url: \"https://a.example/\" } }]\n", "`response` or an `error`"),
        ("with: { value: 1 }\nhttp: [{ request: { url: a.example }, error: gone }]\n", "http[0]: request.url"),
        ("http: [{ request: { url: \"http://a/\", verb: GET }, error: gone }]\n", "verb"),
        ("models: { m: { outputs: { y: [[1], [2, 3]] } } }\n", "output `y`"),
        ("with: [\n", "TS-0101"),
    ] {
        author.case("bad", text);
        author.run(&["plugin", "test"]).exits(1).says(&[says]);
    }
    fs::remove_file(author.folder.path().join("tests/bad.yaml")).unwrap();
    author.run(&["plugin", "test"]).exits(2).says(&["TS-0909"]);
    fs::remove_file(author.folder.path().join("dist/mine.wasm")).unwrap();
    author.case("good", "with: { value: 1 }\n");
    author.run(&["plugin", "test"]).exits(2).says(&["plugin build"]);
}

const ASKS: &str = "with: { url: \"https://api.example/v1/pumps?site=7\", method: post, body: { on: true },
        headers: { authorization: \"Bearer {{secret:token}}\" } }
allow: { http: [\"https://api.example/v1\"], secrets: [token] }
secrets: { token: s3cret-value }
";

#[test]
fn scripted_requests_are_compared_and_answered() {
    let author = Author::new("http-request.wasm").built();
    let request = "{ method: POST, url: \"https://api.example/v1/pumps?site=7\", json: { on: true },
      headers: { authorization: Bearer s3cret-value, content-type: application/json } }";
    let answered = "response: { status: 201, headers: { x-id: a7 }, json: { id: 7 } }";
    author.case(
        "answered",
        &format!("{ASKS}http:\n  - request: {request}\n    {answered}\nexpect: {{ max_fuel: 100000000, logs: [] }}\n"),
    );
    author.case(
        "broken",
        &format!("{ASKS}http:\n  - request: {request}\n    error: reset\nexpect: {{ error: {{ code: http-connect, message: reset }} }}\n"),
    );
    let ran = author.run(&["plugin", "test"]).ok();
    assert!(ran.stdout.contains("2 passed") && ran.stdout.contains("instructions"), "{}", ran.stdout);
    // Counted, so the same everywhere and every time.
    let fuel = || author.run(&["plugin", "test", "--json"]).ok().json()[0]["fuel"].as_u64().unwrap();
    assert_eq!(fuel(), fuel());
}

#[test]
fn a_conversation_that_goes_otherwise_is_told_request_by_request() {
    let author = Author::new("http-request.wasm").built();
    let case = |name: &str, http: &str| author.case(name, &format!("{ASKS}http: {http}\n"));
    case(
        "a",
        "[{ request: { method: PUT, url: \"https://api.example/v1/pumps\", json: { on: 1 }, headers: { x-y: z } }, response: {} }]",
    );
    case("b", "[]");
    let pumps = "{ request: { method: POST, url: \"https://api.example/v1/pumps?site=7\" }, response: {} }";
    case("c", &format!("[{pumps}, {pumps}]"));
    author.case("d", &ASKS.replace("secrets: { token: s3cret-value }", "expect: { max_fuel: 10 }"));
    let ran = author.run(&["plugin", "test"]).exits(1);
    for says in [
        "http[0].request.method: POST, expected PUT",
        "http[0].request.url: https://api.example/v1/pumps?site=7, expected https://api.example/v1/pumps",
        "http[0].request.headers.x-y: nothing, expected z",
        "http[0].request.json: {\"on\":true}, expected {\"on\":1}",
        "http[0]: POST https://api.example/v1/pumps?site=7 is not in the case",
        "http[1]: POST https://api.example/v1/pumps?site=7 was never sent",
        "the case has no secret `token`",
        "instructions executed, at most 10 expected",
        "0 passed, 4 failed",
    ] {
        assert!(ran.stdout.contains(says), "{says}: {}", ran.stdout);
    }
}
