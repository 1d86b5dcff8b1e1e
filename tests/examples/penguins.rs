//! examples/penguins: a table goes into a model column by column, and comes back with what the model said of each row.

use serde_json::{Value, json};

use crate::{
    Engine,
    support::{Project, project::step},
};

const WORKFLOW: &str = "penguins";

/// A file of another form or length through the example.
#[track_caller]
fn predicted(project: &Project, name: &str, rows: &str) -> (Value, String) {
    project.write(name, rows);
    let view = project.run(&["run", WORKFLOW, "--file", name, "--json"]).ok().json();
    let text = project.read(&format!("predicted/{name}"));
    (view, text)
}

/// A field of the row that a CSV file has for this penguin.
fn fields(row: &str) -> Vec<&str> {
    row.split(',').collect()
}

fn the_table_comes_back_with_its_species(engine: &Engine) {
    let project = Project::example("penguins", &engine.config);
    project.run(&["check"]).ok();
    let rows = project.read("data/penguins.csv");
    let view = project.run(&["run", WORKFLOW, "--file", "data/penguins.csv", "--json"]).ok().json();
    engine.did(&step(&view, "predict")["report"]);
    let columns = &view["outputs"]["columns"];
    // Two rows have no measures, and nine more have no sex.
    assert_eq!((&columns["row_count"], &columns["filled"]), (&json!(344), &json!(4 * 2 + 11)), "{columns:#}");
    let joined = project.read("predicted/penguins.csv");
    assert_eq!(joined.lines().count(), 345);
    let mut right = 0;
    for (at, (own, joined)) in rows.lines().zip(joined.lines()).enumerate() {
        let new = joined.strip_prefix(own).unwrap_or_else(|| panic!("line {at}: {joined} does not begin with {own}"));
        if at == 0 {
            assert_eq!(new, ",p_adelie,p_chinstrap,p_gentoo,predicted");
            continue;
        }
        let new = fields(new);
        right += usize::from(new[4] == fields(own)[0]);
        let shares: Vec<f64> = new[1..4].iter().map(|share| share.parse().unwrap()).collect();
        assert!(shares.len() == 3 && (shares.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{joined}");
        let of = ["Adelie", "Chinstrap", "Gentoo"].iter().position(|species| *species == new[4]).unwrap();
        assert!(shares.iter().all(|share| *share <= shares[of]), "the species is the likeliest one: {joined}");
    }
    assert_eq!(right, 343, "the README says 343");

    // A few rows are lists all the way, many are files: the same values either way, texts too.
    let (header, all) = rows.split_once('\n').unwrap();
    let few: String = all.lines().take(5).map(|row| format!("{row}\n")).collect();
    let (view, few) = predicted(&project, "few.csv", &format!("{header}\n{few}"));
    assert_eq!(view["outputs"]["columns"]["tensors"]["sex"][3], json!(["unknown"]));
    assert_eq!(few.lines().collect::<Vec<_>>(), joined.lines().take(6).collect::<Vec<_>>());
    let (view, many) = predicted(&project, "many.csv", &format!("{header}\n{}", all.repeat(4)));
    let [sex, mass] = ["sex", "body_mass_g"].map(|name| view["outputs"]["columns"]["tensors"][name]["name"].clone());
    assert_eq!((sex, mass), (json!("sex.json"), json!("body_mass_g.safetensors")));
    assert_eq!(view["outputs"]["predict"]["outputs"]["label"]["name"], "label.json");
    let (header, body) = joined.split_once('\n').unwrap();
    assert_eq!(many, format!("{header}\n{}", body.repeat(4)));

    // JSON lines say the same, and stay JSON lines.
    let lines: String = rows.lines().skip(1).map(|row| format!("{}\n", json_of(header, row))).collect();
    let (_, lines) = predicted(&project, "penguins.jsonl", &lines);
    for (line, row) in lines.lines().zip(body.lines()) {
        let (line, row): (Value, _) = (serde_json::from_str(line).unwrap(), fields(row));
        assert_eq!((&line["predicted"], &line["year"]), (&json!(row[11]), &json!(row[7].parse::<u64>().unwrap())));
        assert_eq!(line["p_gentoo"].as_f64(), row[10].parse().ok());
    }
}

/// A row as an object; `NA` is null.
fn json_of(header: &str, row: &str) -> Value {
    let pairs = header.split(',').zip(fields(row)).map(|(name, field)| {
        let number = field.parse().map_or_else(|_| json!(field), |number: serde_json::Number| json!(number));
        (name.to_owned(), if field == "NA" { Value::Null } else { number })
    });
    Value::Object(pairs.collect())
}

#[test]
fn the_table_comes_back_with_its_species_on_rten() {
    the_table_comes_back_with_its_species(&Engine::rten());
}

#[test]
fn the_table_comes_back_with_its_species_on_onnx_runtime() {
    if let Some(engine) = Engine::onnxruntime("the example penguins on ONNX Runtime") {
        the_table_comes_back_with_its_species(&engine);
    }
}

#[test]
fn a_row_that_can_not_be_taken_fails_the_run_and_nothing_is_delivered() {
    let project = Project::example("penguins", &Engine::rten().config);
    let rows = project.read("data/penguins.csv");
    for (bad, words) in [
        ("Adelie,,39.1,18.7,181,3750,male,2007\n", &["bad-data", "line 346", "column `island`: missing"][..]),
        ("Adelie,Biscoe,long,18.7,181,3750,male,2007\n", &["bad-data", "line 346", "`bill_length_mm`: not a number"]),
        ("Adelie,Biscoe\n", &["bad-data", "line 346", "2 fields where the header has 8"]),
    ] {
        project.write("bad.csv", format!("{rows}{}", bad.replace(",,", ",NA,")));
        project.run(&["run", WORKFLOW, "--file", "bad.csv"]).exits(1).says(words);
    }
    assert!(!project.path("predicted").exists());
}
