package trackside

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_common"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Error is why a step failed: a stable code for programs, a line for people, and whether trying again can help. Any
// other error that `run` returns fails the step with the code `error`.
type Error struct {
	// Code is kebab-case and stable: people match on it.
	Code string
	// Message is one line for people.
	Message string
	// Retryable errors may be gone next time; the workflow's `retry` decides what happens.
	Retryable bool
	// After asks for at least this wait before the next attempt. Only retryable errors wait.
	After time.Duration
	// Extra holds details for programs.
	Extra map[string]string

	cause error
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap is the error that `%w` named.
func (e *Error) Unwrap() error { return e.cause }

// Fatal is an error that will be the same next time: bad input, a broken rule, a missing grant.
func Fatal(code, format string, arguments ...any) *Error {
	wrapped := fmt.Errorf(format, arguments...)
	return &Error{Code: code, Message: wrapped.Error(), cause: errors.Unwrap(wrapped)}
}

// Retryable is an error that may be gone next time: a busy server, a conflict.
func Retryable(code, format string, arguments ...any) *Error {
	made := Fatal(code, format, arguments...)
	made.Retryable = true
	return made
}

// RetryAfter sets After.
func (e *Error) RetryAfter(wait time.Duration) *Error {
	e.After = wait
	return e
}

// With adds a detail for programs.
func (e *Error) With(key, value string) *Error {
	if e.Extra == nil {
		e.Extra = map[string]string{}
	}
	e.Extra[key] = value
	return e
}

// CodeOf is the code of an error of this package, and "" of any other.
func CodeOf(err error) string {
	var known *Error
	if errors.As(err, &known) {
		return known.Code
	}
	return ""
}

type skipped struct{ reason string }

func (s *skipped) Error() string { return "skipped: " + s.reason }

// Skip is what `run` returns as its error when there was nothing to do; steps that need this one see it as skipped.
func Skip(format string, arguments ...any) error { return &skipped{fmt.Sprintf(format, arguments...)} }

// One case of an interface's error: its code, whether it may be gone next time, a text where the case has none.
type hostCase struct {
	code      string
	retryable bool
	text      string
}

// The cases in the contract's order. The codes are those of every SDK.
var (
	artifactCases = []hostCase{
		{"artifact-not-found", false, "the artifact does not exist"},
		{code: "denied"},
		{code: "quota-exceeded"},
		{code: "artifact-io", retryable: true},
	}
	stateCases = []hostCase{
		{code: "denied"},
		{"state-conflict", true, "the state changed meanwhile"},
		{code: "quota-exceeded"},
		{code: "state-storage", retryable: true},
	}
	outboxCases    = []hostCase{{code: "denied"}, {code: "bad-request"}, {code: "quota-exceeded"}}
	secretCases    = []hostCase{{code: "denied"}, {code: "secret-unavailable", retryable: true}}
	inferenceCases = []hostCase{
		{code: "model-not-found"},
		{code: "denied"},
		{code: "bad-tensor"},
		{code: "resource-exhausted", retryable: true},
		{"model-timeout", true, "the model did not answer in time"},
		{code: "model-failed"},
	}
	httpCases = []hostCase{
		{code: "denied"},
		{code: "bad-request"},
		{code: "http-dns", retryable: true},
		{code: "http-connect", retryable: true},
		{code: "http-tls"},
		{"http-timeout", true, "the server did not answer in time"},
		{code: "http-too-large"},
		{code: "http-protocol", retryable: true},
	}
)

type tagged interface{ Tag() uint8 }

// Calls the host; `what` says what was being done.
func call[T any, E tagged](cases []hostCase, what string, host func() types.Result[T, E]) (T, error) {
	return callFor(0, cases, what, host)
}

// As call, for results that may have `size` bytes.
func callFor[T any, E tagged](size int, cases []hostCase, what string, host func() types.Result[T, E]) (T, error) {
	value, refused, ok := runtime.CallFor(size, host).Get()
	if ok {
		return value, nil
	}
	known := cases[refused.Tag()]
	message := known.text
	if message == "" {
		// The bindings keep a case's text in their second field and hand it out by a method per case.
		message = reflect.ValueOf(refused).Field(1).Elem().String()
	}
	if what != "" {
		message = what + ": " + message
	}
	return value, &Error{Code: known.code, Message: message, Retryable: known.retryable}
}

func toStepError(err error) trackside_plugin_common.StepError {
	var known *Error
	if !errors.As(err, &known) {
		known = Fatal("error", "%w", err)
	} else if err != error(known) {
		// Somebody wrapped it to say more.
		copied := *known
		copied.Message = err.Error()
		known = &copied
	}
	given := trackside_plugin_common.StepError{
		Kind:    trackside_plugin_common.ErrorKind_Fatal,
		Code:    known.Code,
		Message: known.Message,
		Extra:   pairs(known.Extra),
	}
	if known.Retryable {
		given.Kind = trackside_plugin_common.ErrorKind_Retryable
	}
	if known.After > 0 {
		wait := (known.After + time.Millisecond - 1) / time.Millisecond
		given.RetryAfterMs = types.Some(uint32(min(int64(wait), math.MaxUint32)))
	}
	return given
}

func pairs(attributes map[string]string) []types.Tuple2[string, string] {
	list := make([]types.Tuple2[string, string], 0, len(attributes))
	for key, value := range attributes {
		list = append(list, types.Tuple2[string, string]{F0: key, F1: value})
	}
	return list
}
