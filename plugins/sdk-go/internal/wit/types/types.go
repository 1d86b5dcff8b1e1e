// Package types has the types that the generated bindings name: what the contract's `option`, `result` and `tuple` are
// in Go.
package types

// Cases of an Option.
const (
	OptionNone = 0
	OptionSome = 1
)

// Cases of a Result.
const (
	ResultOk  = 0
	ResultErr = 1
)

// Unit is the payload of a case that has none.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Option is a value or nothing.
type Option[T any] struct {
	value *T
}

// Some is an Option with a value.
func Some[T any](value T) Option[T] { return Option[T]{&value} }

// None is an Option without one.
func None[T any]() Option[T] { return Option[T]{} }

// Tag says which case it is.
func (o Option[T]) Tag() uint8 {
	if o.value == nil {
		return OptionNone
	}
	return OptionSome
}

// Some is the value; there must be one.
func (o Option[T]) Some() T { return *o.value }

// Get is the value, and whether there is one.
func (o Option[T]) Get() (value T, ok bool) {
	if o.value == nil {
		return value, false
	}
	return *o.value, true
}

// Result is a value or an error's value.
type Result[T, E any] struct {
	value   T
	failure E
	failed  bool
}

// Ok is a Result with a value.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

// Err is a Result with an error's value.
func Err[T, E any](failure E) Result[T, E] { return Result[T, E]{failure: failure, failed: true} }

// Tag says which case it is.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is the value; it is the zero value when the call failed.
func (r Result[T, E]) Ok() T { return r.value }

// Err is the error's value; it is the zero value when the call went well.
func (r Result[T, E]) Err() E { return r.failure }

// Get is both, and whether the call went well.
func (r Result[T, E]) Get() (value T, failure E, ok bool) { return r.value, r.failure, !r.failed }
