package trackside

import (
	"encoding/json"
	"time"

	wit "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_state"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// State is small values that outlive the run, kept as JSON. Writes become durable together with the step's result, or not
// at all. Needs `allow: { state: true }`.
type State struct {
	scope wit.Scope
}

// Granted says whether the step may use it.
func (s State) Granted() bool {
	_, err := s.entry("")
	return CodeOf(err) != "denied"
}

// Get decodes the value of key; false when there is none.
func (s State) Get(key string, value any) (bool, error) {
	entry, err := s.entry(key)
	if err != nil {
		return false, err
	}
	found, ok := entry.Get()
	if !ok {
		return false, nil
	}
	return true, decode(key, found.Value, value)
}

// Set stages a new value.
func (s State) Set(key string, value any) error { return s.SetFor(key, value, 0) }

// SetFor stages a new value that is forgotten after a lifetime; 0 for never.
func (s State) SetFor(key string, value any, lifetime time.Duration) error {
	data, err := json.Marshal(value)
	if err != nil {
		return Fatal("bad-state", "`%s`: %w", key, err)
	}
	ttl := types.None[uint64]()
	if lifetime > 0 {
		ttl = types.Some(uint64(lifetime.Milliseconds()))
	}
	_, err = call(stateCases, "", func() types.Result[types.Unit, wit.StateError] { return wit.Set(s.scope, key, data, ttl) })
	return err
}

// Update reads, changes and writes back a value in one go; it starts as the zero value. A change made meanwhile is the
// error `state-conflict` (retryable).
func Update[T any](s State, key string, change func(*T)) (T, error) {
	var value T
	entry, err := s.entry(key)
	if err != nil {
		return value, err
	}
	version := types.None[uint64]()
	if found, ok := entry.Get(); ok {
		version = types.Some(found.Version)
		if err := decode(key, found.Value, &value); err != nil {
			return value, err
		}
	}
	change(&value)
	data, err := json.Marshal(value)
	if err != nil {
		return value, Fatal("bad-state", "`%s`: %w", key, err)
	}
	_, err = call(stateCases, "", func() types.Result[uint64, wit.StateError] {
		return wit.CompareAndSet(s.scope, key, version, data)
	})
	return value, err
}

// Remove stages the removal of key; nothing happens when it does not exist.
func (s State) Remove(key string) error {
	_, err := call(stateCases, "", func() types.Result[types.Unit, wit.StateError] { return wit.Delete(s.scope, key) })
	return err
}

// Keys are all keys that start with prefix, sorted.
func (s State) Keys(prefix string) ([]string, error) {
	// Keys have at most 512 bytes.
	const page, maxKey = 256, 512
	var keys []string
	after := types.None[string]()
	for {
		found, err := callFor(page*maxKey, stateCases, "", func() types.Result[wit.Page, wit.StateError] {
			return wit.ListKeys(s.scope, prefix, after, page)
		})
		if err != nil {
			return nil, err
		}
		keys = append(keys, found.Keys...)
		if _, more := found.Next.Get(); !more || len(found.Keys) == 0 {
			return keys, nil
		}
		after = found.Next
	}
}

func (s State) entry(key string) (types.Option[wit.Entry], error) {
	return callFor(maxDocument, stateCases, "", func() types.Result[types.Option[wit.Entry], wit.StateError] { return wit.Get(s.scope, key) })
}

func decode(key string, data []byte, value any) error {
	if err := json.Unmarshal(data, value); err != nil {
		return Fatal("bad-state", "the stored value of `%s` has another form than expected: %w", key, err)
	}
	return nil
}
