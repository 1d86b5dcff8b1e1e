//! The JSON form of events is kept for years: what an older version wrote is read, and written the same.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

use trackside_engine::Event;

/// Of the first version, and of those that came after it at the end. Lines are added here, never changed.
const STORED: &str = r#"
{"event":"started","params":{"n":1},"trigger":{"kind":"manual"},"logical_time_ms":5}
{"event":"step-started","step":0,"attempt":1}
{"event":"step-succeeded","step":0,"attempt":1,"output":{"x":1}}
{"event":"step-succeeded","step":0,"attempt":1,"output":null,"report":{"ms":3}}
{"event":"step-skipped","step":1,"reason":"condition"}
{"event":"step-skipped","step":1,"reason":{"upstream":"a"}}
{"event":"step-skipped","step":1,"reason":{"upstream-failed":"a"}}
{"event":"step-skipped","step":1,"reason":{"said":"nothing new"}}
{"event":"step-retried","step":2,"attempt":1,"error":{"code":"busy","message":"later","retryable":true,"retry_after_ms":5},"due_ms":9}
{"event":"step-failed","step":2,"attempt":2,"error":{"code":"trap","message":"no","retryable":false,"details":["at f"]},"report":{"ms":3}}
{"event":"step-cancelled","step":3}
{"event":"step-interrupted","step":3,"attempt":1}
{"event":"cancel-requested","by":"uid 1000"}
{"event":"timed-out"}
{"event":"finishing","end":"failed","error":{"step":"a","code":"trap","message":"no"}}
{"event":"ended","end":"succeeded"}
{"event":"ended","end":"failed","error":{"step":null,"code":"run-timeout","message":"no"}}
{"event":"delivered","step":1,"entry":0,"target":"out/a"}
{"event":"delivery-refused","step":1,"entry":1,"target":"out/b","reason":"no"}
{"event":"started","params":{},"trigger":{},"logical_time_ms":5,"parent":{"run":"0000000000007","step":1,"item":3,"attempt":1,"depth":2}}
{"event":"queued","group":"line a"}
{"event":"admitted"}
{"event":"run-failed","code":"queue-timeout","message":"no"}
{"event":"step-expanded","step":0,"items":[1,{"a":2}]}
{"event":"step-collected","step":0,"succeeded":1,"skipped":0,"failed":1}
{"event":"step-queued","step":0,"item":1,"mutex":"press"}
{"event":"step-started","step":0,"item":1,"attempt":1}
{"event":"step-succeeded","step":0,"item":1,"attempt":1,"output":1,"cached":true}
{"event":"step-skipped","step":0,"item":2,"reason":{"unwanted":"a"}}
{"event":"step-blocked","step":0,"item":1,"attempt":1,"message":"no rows","report":{"rows":0}}
{"event":"child-started","step":0,"attempt":1,"run":"0000000000009"}
{"event":"approval-requested","step":0,"message":"ok?","approvers":["ana"],"deadline_ms":9}
{"event":"approval-decided","step":0,"approved":true,"by":"ana","comment":"fine"}
{"event":"approval-decided","step":0,"approved":false}
{"event":"ended","end":"succeeded","outputs":{"x":1}}
{"event":"delivered","step":1,"item":2,"entry":0,"target":"out/a"}
"#;

#[test]
fn events_that_were_stored_are_read_and_written_the_same() {
    for line in STORED.trim().lines() {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}
