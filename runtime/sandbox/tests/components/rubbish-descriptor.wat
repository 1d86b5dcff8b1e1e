;; `describe` returns a record whose first string lies outside memory.
(module
  (memory (export "memory") 1)
  (data (i32.const 0) "\ff\ff\ff\7f\ff\ff\ff\7f")
  (func (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    (i32.const 0))
  (func (export "trackside:plugin/step@0.1.0#run") (result i32)
    unreachable))
