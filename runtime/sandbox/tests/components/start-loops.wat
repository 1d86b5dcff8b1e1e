;; Instantiation itself never ends.
(module
  (memory (export "memory") 1)
  (func $spin
    (loop $again (br $again)))
  (start $spin)
  (func (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    unreachable)
  (func (export "trackside:plugin/step@0.1.0#run") (result i32)
    unreachable))
