;; Ten million table elements.
(module
  (memory (export "memory") 1)
  (table 10000000 funcref)
  (func (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    unreachable)
  (func (export "trackside:plugin/step@0.1.0#run") (result i32)
    unreachable))
