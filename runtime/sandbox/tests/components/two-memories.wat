;; Uses a proposal that is switched off.
(module
  (memory (export "memory") 1)
  (memory 1)
  (func (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    unreachable)
  (func (export "trackside:plugin/step@0.1.0#run") (result i32)
    unreachable))
