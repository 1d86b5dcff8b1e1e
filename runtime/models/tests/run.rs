//! Running models: the same on both engines.

use std::thread;
use std::time::{Duration, Instant};
use trackside_codes::Coded;

use crate::support::wait::patient;
use crate::support::*;
use trackside_models::onnx::proto::data_type;
use trackside_models::{CancelToken, EngineChoice, EngineKind, ModelError, ModelSource};
use trackside_spec::{ElementType, Tensor};

#[test]
fn a_dense_layer_gives_the_numbers_of_pencil_and_paper() {
    on_each_engine("dense layer", |lab, choice| {
        let model = lab.load(choice, &dense()).unwrap();
        let rows = f32s(&[2, 3], &[1.0, 1.0, 1.0, 0.0, 2.0, 0.5]);
        let ran = run(&model, x(rows)).unwrap();
        // [1 + 2 - 3 + .25, -1 + .5 + 4 - .5] and [4 - 1.5 + .25, 1 + 2 - .5], nothing below zero.
        assert_eq!(ran.outputs, [("p".to_owned(), f32s(&[2, 2], &[0.25, 3.0, 2.75, 2.5]))]);
        assert!(!ran.ran.is_zero());
        let info = model.info();
        assert_eq!(info.inputs[0].signature(), "float32[?,3]");
        assert_eq!((info.sessions, info.size > 0), (1, true));
        assert_eq!(info.engine.kind == EngineKind::Rten, choice == EngineChoice::Rten);
        assert!(info.engine.version.starts_with(|c: char| c.is_ascii_digit()), "{}", info.engine);
    });
}

#[test]
fn every_type_that_an_engine_takes_comes_back_bit_for_bit() {
    let cases: [(i32, ElementType, Vec<u8>); 13] = [
        (1, ElementType::Float32, [f32::MIN_POSITIVE, -0.0, f32::INFINITY].map(f32::to_le_bytes).concat()),
        (2, ElementType::Uint8, vec![0, 1, 255]),
        (3, ElementType::Int8, vec![0, 127, 128]),
        (4, ElementType::Uint16, vec![1, 2, 3, 4, 5, 255]),
        (5, ElementType::Int16, vec![1, 2, 3, 4, 5, 255]),
        (6, ElementType::Int32, [0i32, i32::MIN, i32::MAX].map(i32::to_le_bytes).concat()),
        (7, ElementType::Int64, [0i64, i64::MIN, i64::MAX].map(i64::to_le_bytes).concat()),
        (9, ElementType::Boolean, vec![0, 1, 1]),
        (10, ElementType::Float16, vec![0, 60, 0, 188, 1, 0]),
        (11, ElementType::Float64, [0.1f64, -1e300, f64::EPSILON].map(f64::to_le_bytes).concat()),
        (12, ElementType::Uint32, [0u32, 1, u32::MAX].map(u32::to_le_bytes).concat()),
        (13, ElementType::Uint64, [0u64, 1, u64::MAX].map(u64::to_le_bytes).concat()),
        (16, ElementType::Bfloat16, vec![128, 63, 128, 191, 1, 0]),
    ];
    on_each_engine("element types", |lab, choice| {
        for (number, element, data) in &cases {
            let model = lab.load(choice, &identity(*number, &[D::S("N")])).unwrap();
            for data in [data.clone(), Vec::new()] {
                let length = u32::try_from(data.len() / element.size().unwrap()).unwrap();
                let tensor = Tensor::from_bytes(*element, vec![length], data).unwrap();
                assert_eq!(run(&model, x(tensor.clone())).unwrap().outputs[0].1, tensor, "{element:?} {length}");
            }
        }
    });
}

#[test]
fn text_goes_through() {
    on_each_engine("text tensors", |lab, choice| {
        let model = lab.load(choice, &identity(data_type::STRING, &[D::S("N")])).unwrap();
        let text = |items: &[&str]| {
            let items: Vec<_> = items.iter().map(|item| (*item).to_owned()).collect();
            Tensor::from_text(vec![u32::try_from(items.len()).unwrap()], items).unwrap()
        };
        let tensor = text(&["pump", "", "Düse"]);
        assert_eq!(run(&model, x(tensor.clone())).unwrap().outputs[0].1, tensor);
        let zero = run(&model, x(text(&["a\0b"])));
        if choice == EngineChoice::Rten {
            assert_eq!(zero.unwrap().outputs[0].1, text(&["a\0b"]));
        } else {
            let error = zero.unwrap_err();
            assert!(error.code() == "TS-0510" && error.to_string().contains("zero character"), "{error}");
        }
    });
}

#[test]
fn outputs_come_in_the_order_in_which_they_are_asked_for() {
    on_each_engine("order of outputs", |lab, choice| {
        let model = lab.load(choice, &add()).unwrap();
        let inputs = || vec![("b".to_owned(), f32s(&[2], &[1.0, 5.0])), ("a".to_owned(), f32s(&[2], &[2.0, 3.0]))];
        let sum = ("sum".to_owned(), f32s(&[2], &[3.0, 8.0]));
        let flags = Tensor::from_bytes(ElementType::Boolean, vec![2], vec![1, 0]).unwrap();
        let larger = ("larger".to_owned(), flags);
        let ask = |wanted: &[&str]| {
            let wanted: Vec<_> = wanted.iter().map(|name| (*name).to_owned()).collect();
            model.run(inputs(), &wanted, None, &CancelToken::new()).map(|ran| crate::support::Tensors::of(ran).outputs)
        };
        assert_eq!(ask(&[]).unwrap(), [sum.clone(), larger.clone()]);
        assert_eq!(ask(&["larger", "sum", "larger"]).unwrap(), [larger.clone(), sum]);
        assert_eq!(ask(&["larger"]).unwrap(), [larger]);
        let error = ask(&["nope"]).unwrap_err();
        assert!(error.code() == "TS-0511" && error.to_string().contains("sum, larger"), "{error}");
    });
}

#[test]
fn wrong_inputs_are_refused_before_the_engine_sees_them() {
    on_each_engine("wrong inputs", |lab, choice| {
        let model = lab.load(choice, &dense()).unwrap();
        let good = f32s(&[1, 3], &[0.0; 3]);
        let named = |name: &str, tensor: &Tensor| (name.to_owned(), tensor.clone());
        let flat = f32s(&[3], &[0.0; 3]);
        let wide = f32s(&[1, 4], &[0.0; 4]);
        for (inputs, says) in [
            (vec![], "it is missing: the model takes x (float32[?,3]); given was nothing else"),
            (vec![named("y", &good)], "given was y"),
            (vec![named("x", &good), named("y", &good)], "\"y\" of the model m: the model has no such input"),
            (vec![named("x", &good), named("x", &good)], "it was given twice"),
            (x(flat), "the model declares float32[?,3], it was given float32[3]"),
            (x(wide), "it was given float32[1,4]"),
            (x(i64s(&[1, 3], &[0; 3])), "it was given int64[1,3]"),
        ] {
            let error = run(&model, inputs).unwrap_err();
            assert_eq!(error.code(), "TS-0510");
            assert!(error.to_string().contains(says), "{error}");
        }
        let model = lab.load(choice, &identity(BOOL, &[D::S("N")])).unwrap();
        let odd = Tensor::from_bytes(ElementType::Boolean, vec![1], vec![2]).unwrap();
        assert!(run(&model, x(odd)).unwrap_err().to_string().contains("0 or 1"));
    });
}

#[test]
fn a_run_ends_at_its_deadline_and_the_model_stays_usable() {
    on_each_engine("deadline", |lab, choice| {
        let model = lab.load(choice, &slow()).unwrap();
        let begun = Instant::now();
        let deadline = Some(begun + Duration::from_millis(50));
        let error = model.run(slow_inputs(20_000), &[], deadline, &CancelToken::new()).unwrap_err();
        assert_eq!(error.code(), "TS-0512", "{error}");
        assert!(begun.elapsed() >= Duration::from_millis(50));
        assert!(begun.elapsed() < patient(Duration::from_secs(30)), "{:?}", begun.elapsed());
        // With one session: it is free again.
        run(&model, slow_inputs(1)).unwrap();
        let past = model.run(slow_inputs(1), &[], Some(begun), &CancelToken::new()).unwrap_err();
        assert_eq!(past.code(), "TS-0512");
    });
}

#[test]
fn a_cancelled_token_lets_nothing_run() {
    on_each_engine("cancelled before the run", |lab, choice| {
        let model = lab.load(choice, &slow()).unwrap();
        let cancel = CancelToken::new();
        cancel.cancel();
        let error = model.run(slow_inputs(1), &[], None, &cancel).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled { .. }), "{error}");
    });
}

#[test]
fn callers_wait_for_a_busy_session_until_their_deadline_and_cancelling_ends_a_run() {
    on_each_engine("busy sessions", |lab, choice| {
        let model = lab.load(choice, &slow()).unwrap();
        let cancel = CancelToken::new();
        let hold = CancelToken::new();
        thread::scope(|scope| {
            let holder = scope.spawn(|| model.run(slow_inputs(100_000), &[], None, &hold));
            // Until the holder has the only session, others get through; then one is turned away.
            let turned_away = loop {
                let deadline = Some(Instant::now() + Duration::from_millis(30));
                match model.run(slow_inputs(0), &[], deadline, &cancel) {
                    // It had the session, on a machine that had no time for it.
                    Err(error @ ModelError::Timeout { .. }) if !error.to_string().contains("waiting") => {}
                    Err(error) => break error,
                    Ok(_) => {}
                }
            };
            assert!(turned_away.to_string().contains("waiting for one of 1 sessions"), "{turned_away}");
            let cancelled = Instant::now();
            hold.cancel();
            let error = holder.join().unwrap().unwrap_err();
            assert!(matches!(error, ModelError::Cancelled { .. }), "{error}");
            assert!(cancelled.elapsed() < patient(Duration::from_secs(3)), "{:?}", cancelled.elapsed());
        });
    });
}

#[test]
fn sessions_serve_many_threads_with_their_own_numbers() {
    on_each_engine("concurrency", |lab, choice| {
        let path = lab.write("model.onnx", &dense());
        let model = lab.engines().load(&ModelSource { choice, sessions: 2, ..ModelSource::new("m", path) }).unwrap();
        thread::scope(|scope| {
            for thread in 0..6u8 {
                let model = &model;
                scope.spawn(move || {
                    for round in 0..200u16 {
                        let value = f32::from(thread) + f32::from(round);
                        let ran = run(model, x(f32s(&[1, 3], &[value, 0.0, 0.0]))).unwrap();
                        assert_eq!(ran.outputs[0].1, f32s(&[1, 2], &[value + 0.25, (-value - 0.5).max(0.0)]));
                    }
                });
            }
        });
    });
}

#[test]
fn both_engines_agree() {
    if !onnxruntime("agreement of the engines") {
        return;
    }
    let models = [
        (dense(), f32s(&[4, 3], &[0.1, 0.9, -0.3, 2.0, 1.0, 0.5, -1.0, -2.0, -3.0, 1e-3, 1e3, 1.0])),
        (unary(node("Tanh", &["x"], &["y"])), f32s(&[5], &[-3.0, -0.1, 0.0, 0.5, 20.0])),
        (unary(node("Softmax", &["x"], &["y"])), f32s(&[4], &[1.0, 2.0, 3.0, 400.0])),
        (unary(node("Erf", &["x"], &["y"])), f32s(&[3], &[-1.0, 0.0, 2.5])),
    ];
    for (proto, input) in models {
        let lab = Lab::new();
        let [one, other] = [EngineChoice::OnnxRuntime, EngineChoice::Rten].map(|choice| {
            run(&lab.load(choice, &proto).unwrap(), x(input.clone())).unwrap().outputs[0].1.to_f32().unwrap()
        });
        for (a, b) in one.iter().zip(&other) {
            assert!((a - b).abs() <= 1e-5 + 1e-5 * b.abs(), "{one:?} {other:?}");
        }
    }
}
