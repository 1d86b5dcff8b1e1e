// Package trackside writes a Trackside step in Go: README.md is the manual.
//
//	func run(input Input, step *trackside.Step) (Output, error) { … }
//
//	func init() { trackside.Register(trackside.Plugin{Name: "greet", …}, run) }
//
//	func main() {}
package trackside

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/exports/export_trackside_plugin_describe"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/exports/export_trackside_plugin_step"
	_ "github.com/trackside/trackside/plugins/sdk-go/internal/wit/exports/wit_exports" // the component's exports
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_common"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_context"
	wit "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_describe"
	outcome "github.com/trackside/trackside/plugins/sdk-go/internal/wit/imports/trackside_plugin_step"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/runtime"
	"github.com/trackside/trackside/plugins/sdk-go/internal/wit/types"
)

// Port is a named place where artifacts come in or go out.
type Port struct {
	Name        string
	Description string
	MediaTypes  []string
	Required    bool
	Many        bool
}

// Want is something that the plugin asks the operator for: Kind is a key of `allow:`.
type Want struct {
	Kind     string
	Value    string
	Reason   string
	Optional bool
}

// Plugin is what a plugin says about itself.
type Plugin struct {
	Name    string
	Version string
	Summary string
	// Docs is the manual, in Markdown.
	Docs string
	// InputSchema and OutputSchema are JSON Schemas; without one any object goes.
	InputSchema  string
	OutputSchema string
	Inputs       []Port
	Outputs      []Port
	Wants        []Want
	// Deterministic says that the same input always gives the same output.
	Deterministic bool
}

const anyObject = `{"type": "object"}`

// Register declares the plugin; call it once, from an `init` function. `run` gets the input document as its first
// argument's type, and its result becomes the output document. An error, or a panic, fails the step; see [Error] and
// [Skip].
func Register[In, Out any](plugin Plugin, run func(In, *Step) (Out, error)) {
	export_trackside_plugin_describe.Describe = func() wit.Descriptor { return descriptor(plugin) }
	export_trackside_plugin_step.Run = func() types.Result[outcome.Outcome, trackside_plugin_common.StepError] {
		output, err := attempt(run)
		var nothing *skipped
		switch {
		case err == nil:
			return types.Ok[outcome.Outcome, trackside_plugin_common.StepError](outcome.MakeOutcomeDone(output))
		case errors.As(err, &nothing):
			return types.Ok[outcome.Outcome, trackside_plugin_common.StepError](outcome.MakeOutcomeSkipped(nothing.reason))
		default:
			return types.Err[outcome.Outcome](toStepError(err))
		}
	}
}

// What is kept of a panic's stack: its newest frames.
const stackBytes = 2000

func attempt[In, Out any](run func(In, *Step) (Out, error)) (output string, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			stack := string(debug.Stack())
			stack = stack[:min(len(stack), stackBytes)]
			step.Log.Error("panic: "+fmt.Sprint(panicked), "stack", stack)
			err = Fatal("panic", "%v", panicked).With("stack", stack)
		}
	}()
	var input In
	document := runtime.CallFor(maxDocument, trackside_plugin_context.InputJson)
	if err := json.Unmarshal([]byte(document), &input); err != nil {
		return "", Fatal("bad-input", "input: %w", err)
	}
	result, err := run(input, step)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return "", Fatal("bad-output", "output: %w", err)
	}
	return string(text), nil
}

func descriptor(plugin Plugin) wit.Descriptor {
	given := wit.Descriptor{
		Name:          plugin.Name,
		Version:       plugin.Version,
		Summary:       plugin.Summary,
		DocsMarkdown:  plugin.Docs,
		InputSchema:   plugin.InputSchema,
		OutputSchema:  plugin.OutputSchema,
		Inputs:        ports(plugin.Inputs),
		Outputs:       ports(plugin.Outputs),
		Deterministic: plugin.Deterministic,
	}
	if given.InputSchema == "" {
		given.InputSchema = anyObject
	}
	if given.OutputSchema == "" {
		given.OutputSchema = anyObject
	}
	for _, want := range plugin.Wants {
		given.Wants = append(given.Wants, wit.Capability(want))
	}
	return given
}

func ports(ports []Port) []wit.ArtifactPort {
	given := make([]wit.ArtifactPort, 0, len(ports))
	for _, port := range ports {
		given = append(given, wit.ArtifactPort(port))
	}
	return given
}
