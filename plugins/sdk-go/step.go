package trackside

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_artifacts"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_context"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_outbox"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_secrets"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_state"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_telemetry"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Step is this attempt of this step: the door to everything it can reach.
type Step struct {
	Log Logger
	// State is kept between runs for this step. Needs `allow: { state: true }`.
	State State
	// WorkflowState is shared by all steps of the workflow.
	WorkflowState State
}

// There is one attempt in an instance.
var step = &Step{
	State:         State{trackside_plugin_state.Scope_Step},
	WorkflowState: State{trackside_plugin_state.Scope_Workflow},
}

// Info says where and why this step runs.
type Info struct {
	Workflow string
	RunID    string
	Step     string
	// Attempt is 1 on the first try.
	Attempt int
	// IdempotencyKey is the same for all attempts of this step in this run.
	IdempotencyKey string
	// LogicalTime is the scheduled or event time; not "now".
	LogicalTime time.Time
	TriggerKind string
	Trigger     map[string]string
}

// Info says where and why this step runs.
func (*Step) Info() Info {
	info := runtime.Call(trackside_plugin_context.Get)
	trigger := make(map[string]string, len(info.Trigger))
	for _, pair := range info.Trigger {
		trigger[pair.F0] = pair.F1
	}
	return Info{
		Workflow:       info.Workflow,
		RunID:          info.RunId,
		Step:           info.Step,
		Attempt:        int(info.Attempt),
		IdempotencyKey: info.IdempotencyKey,
		LogicalTime:    time.UnixMilli(int64(info.LogicalTimeUnixMs)).UTC(),
		TriggerKind:    info.TriggerKind,
		Trigger:        trigger,
	}
}

// Remaining is the time left before the host stops the step; false when there is no limit.
func (*Step) Remaining() (time.Duration, bool) {
	left, limited := runtime.Call(trackside_plugin_context.RemainingMs).Get()
	return time.Duration(left) * time.Millisecond, limited
}

// Cancelled says whether somebody asked the step to stop. A step that loops for long checks it now and then.
func (*Step) Cancelled() bool { return runtime.Call(trackside_plugin_context.Cancelled) }

// Progress says how far it is, 0 to 1, for people who watch.
func (*Step) Progress(fraction float64, note string) {
	send(func() { trackside_plugin_telemetry.Progress(float32(fraction), note) })
}

// Inputs are all artifacts of an input port; none when it is unbound.
func (*Step) Inputs(port string) ([]*Artifact, error) {
	found, err := call(artifactCases, "input `"+port+"`", func() types.Result[[]*trackside_plugin_artifacts.Artifact, trackside_plugin_artifacts.ArtifactError] {
		return trackside_plugin_artifacts.Input(port)
	})
	if CodeOf(err) == "artifact-not-found" {
		return nil, nil
	}
	artifacts := make([]*Artifact, 0, len(found))
	for _, inner := range found {
		artifacts = append(artifacts, newArtifact(inner))
	}
	return artifacts, err
}

// Input is the one artifact of an input port. It fails with `missing-input` or `too-many-inputs`.
func (s *Step) Input(port string) (*Artifact, error) {
	all, err := s.Inputs(port)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, Fatal("missing-input", "input `%s` is missing: give it an artifact under `with:`", port)
	case len(all) > 1:
		return nil, Fatal("too-many-inputs", "input `%s` takes one artifact, not %d", port, len(all))
	}
	return all[0], nil
}

// Create starts an artifact on an output port. It exists for later steps once it is committed and this step succeeds.
func (*Step) Create(port, name, mediaType string) (*Writer, error) {
	inner, err := call(artifactCases, "output `"+port+"`", func() types.Result[*trackside_plugin_artifacts.ArtifactWriter, trackside_plugin_artifacts.ArtifactError] {
		return trackside_plugin_artifacts.Create(port, name, mediaType)
	})
	if err != nil {
		return nil, err
	}
	return &Writer{inner: inner, pending: make([]byte, 0, chunk)}, nil
}

// IfPresent says what a delivery does when the file is there already.
type IfPresent = trackside_plugin_outbox.IfPresent

// What a delivery does when the file is there already.
const (
	Refuse  IfPresent = trackside_plugin_outbox.IfPresent_Refuse
	Keep    IfPresent = trackside_plugin_outbox.IfPresent_Keep
	Replace IfPresent = trackside_plugin_outbox.IfPresent_Replace
	Number  IfPresent = trackside_plugin_outbox.IfPresent_Number
)

// Deliver has the artifact written to path once the step has succeeded: relative, with `/`, below a folder that
// `allow: { deliver: [FOLDER] }` grants.
func (*Step) Deliver(artifact *Artifact, path string, present IfPresent) error {
	_, err := call(outboxCases, "", func() types.Result[types.Unit, trackside_plugin_outbox.OutboxError] {
		return trackside_plugin_outbox.Deliver(artifact.inner, path, present)
	})
	return err
}

// Publish has a message published once the step has succeeded.
func (*Step) Publish(channel, topic string, payload []byte) error {
	_, err := call(outboxCases, "", func() types.Result[types.Unit, trackside_plugin_outbox.OutboxError] {
		return trackside_plugin_outbox.Publish(channel, topic, payload, nil)
	})
	return err
}

// Emit has an event emitted once the step has succeeded; other workflows' triggers can match it.
func (*Step) Emit(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return Fatal("bad-output", "event `%s`: %w", event, err)
	}
	_, err = call(outboxCases, "", func() types.Result[types.Unit, trackside_plugin_outbox.OutboxError] {
		return trackside_plugin_outbox.Emit(event, string(text))
	})
	return err
}

// Secret is an opaque token for request headers; the host replaces it on the way out. Needs
// `allow: { secrets: [NAME] }`.
func (*Step) Secret(name string) (placeholder string, err error) {
	secret, err := call(secretCases, name, func() types.Result[*trackside_plugin_secrets.Secret, trackside_plugin_secrets.SecretError] {
		return trackside_plugin_secrets.SecretOpen(name)
	})
	if err != nil {
		return "", err
	}
	return runtime.Call(secret.Placeholder), nil
}

// Logger writes the step's log: `trackside runs logs` prints it. The host bounds how much it keeps. Attributes follow the
// message as key and value, as in log/slog.
type Logger struct{}

// Debug writes a line.
func (l Logger) Debug(message string, attributes ...any) {
	l.log(trackside_plugin_telemetry.Level_Debug, message, attributes)
}

// Info writes a line.
func (l Logger) Info(message string, attributes ...any) {
	l.log(trackside_plugin_telemetry.Level_Info, message, attributes)
}

// Warn writes a line.
func (l Logger) Warn(message string, attributes ...any) {
	l.log(trackside_plugin_telemetry.Level_Warn, message, attributes)
}

// Error writes a line.
func (l Logger) Error(message string, attributes ...any) {
	l.log(trackside_plugin_telemetry.Level_Error, message, attributes)
}

func (Logger) log(level trackside_plugin_telemetry.Level, message string, attributes []any) {
	list := make([]types.Tuple2[string, string], 0, len(attributes)/2)
	for at := 0; at+1 < len(attributes); at += 2 {
		list = append(list, types.Tuple2[string, string]{F0: fmt.Sprint(attributes[at]), F1: fmt.Sprint(attributes[at+1])})
	}
	send(func() { trackside_plugin_telemetry.Log(level, message, list) })
}

// Count adds to a counter.
func (*Step) Count(name string, delta float64) {
	send(func() { trackside_plugin_telemetry.CounterAdd(name, delta, nil) })
}

// Gauge sets a gauge.
func (*Step) Gauge(name string, value float64) {
	send(func() { trackside_plugin_telemetry.GaugeSet(name, value, nil) })
}

// Histogram records a value.
func (*Step) Histogram(name string, value float64) {
	send(func() { trackside_plugin_telemetry.HistogramRecord(name, value, nil) })
}

func send(call func()) {
	runtime.Call(func() types.Unit {
		call()
		return types.Unit{}
	})
}
