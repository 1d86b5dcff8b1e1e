; The interlock of a tank, as the controller computes it. Can both valves be open at once?
(set-logic QF_BV)
(set-option :produce-models true)

; What the operator asks for and what the sensors say.
(declare-const fill Bool)
(declare-const drain Bool)
(declare-const manual Bool)
(declare-const level (_ BitVec 8))

; The logic. Somebody let the manual switch go past the interlock.
(define-fun inlet  () Bool (or manual (and fill (not drain) (bvult level #xf0))))
(define-fun outlet () Bool (and drain (bvugt level #x10)))

; What must never be.
(assert (and inlet outlet))
(check-sat)
