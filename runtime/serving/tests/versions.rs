//! What a name means.

use trackside_codes::Coded;
use trackside_serving::ModelSettings;
use trackside_spec::ModelVersion;

use crate::support::{Bench, adds, x, y};

#[test]
fn a_name_an_alias_and_a_number_each_mean_a_version() {
    let bench = Bench::new();
    bench.say("pump", ModelSettings::default());
    for number in 1..=3u8 {
        bench.add("pump", u32::from(number), &adds(f32::from(number)));
    }
    bench.change("pump", |entry| {
        entry.aliases.insert("candidate".to_owned(), 3);
        entry.aliases.insert("champion".to_owned(), 2);
    });
    for (which, number) in
        [(ModelVersion::Unsaid, 2u32), (ModelVersion::Alias("candidate".into()), 3), (ModelVersion::Number(1), 1)]
    {
        let served = bench.serving.open_here("pump", &which, None).unwrap();
        assert_eq!(served.version(), number);
        let answer = served.predict_here(x(&[[1.0, 2.0]])).unwrap();
        assert_eq!(answer.version, number, "every answer says who gave it");
        assert_eq!(y(Ok(answer)), [1.0 + number as f32, 2.0 + number as f32]);
    }
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let bench = Bench::new();
    bench.served("pump-anomaly", ModelSettings::default(), &adds(1.0));
    let refused = |name: &str, which: ModelVersion| {
        let error = bench.serving.open_here(name, &which, None).err().unwrap();
        (error.code().to_string(), error.to_string())
    };
    let (code, text) = refused("pump-anomly", ModelVersion::Unsaid);
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("TS-0611", "there is no model `pump-anomly` (did you mean `pump-anomaly`?)")
    );
    let (code, text) = refused("pump-anomaly", ModelVersion::Number(7));
    assert_eq!((code.as_str(), text.as_str()), ("TS-0552", "the model `pump-anomaly` has no version 7; it has 1"));
    let (code, text) = refused("pump-anomaly", ModelVersion::Alias("champoin".into()));
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("TS-0552", "the model `pump-anomaly` has no alias `champoin` (did you mean `champion`?); it has champion")
    );
    // One that was removed is not served from memory.
    bench.forget("pump-anomaly");
    assert_eq!(refused("pump-anomaly", ModelVersion::Unsaid).0, "TS-0611");
}

#[test]
fn an_alias_that_names_nothing_is_not_served() {
    let bench = Bench::new();
    bench.say("pump", ModelSettings::default());
    bench.add("pump", 1, &adds(1.0));
    bench.change("pump", |entry| {
        entry.aliases.insert("next".to_owned(), 9);
    });
    let error = bench.serving.open_here("pump", &ModelVersion::Alias("next".into()), None).err().unwrap();
    assert_eq!(error.code().to_string(), "TS-0552");
}
