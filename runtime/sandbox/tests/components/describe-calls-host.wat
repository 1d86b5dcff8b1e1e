;; `describe` asks the host about a step that is not there.
(module
  (import "trackside:plugin/context@0.1.0" "cancelled" (func $cancelled (result i32)))
  (memory (export "memory") 1)
  (func (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    (drop (call $cancelled))
    unreachable)
  (func (export "trackside:plugin/step@0.1.0#run") (result i32)
    unreachable))
