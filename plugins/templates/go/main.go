package main

import (
	"bytes"
	_ "embed"
	"fmt"

	trackside "github.com/trackside/trackside/plugins/sdk-go"
)

type Input struct {
	Contains string `json:"contains"`
}

type Output struct {
	Lines int `json:"lines"`
	Found int `json:"found"`
}

func run(input Input, step *trackside.Step) (output Output, err error) {
	file, err := step.Input("file")
	if err != nil {
		return output, err
	}
	if file.Size == 0 {
		return output, trackside.Skip("the file is empty")
	}
	for line, err := range file.Lines() {
		if err != nil {
			return output, err
		}
		output.Lines++
		if bytes.Contains(line, []byte(input.Contains)) {
			output.Found++
		}
	}
	step.Log.Info(fmt.Sprintf("%s: %d lines", file.Name, output.Lines))
	return output, nil
}

//go:embed input.schema.json
var inputSchema string

//go:embed output.schema.json
var outputSchema string

func init() {
	trackside.Register(trackside.Plugin{
		Name:          "{{name}}",
		Version:       "0.1.0",
		Summary:       "Counts the lines that contain a text",
		InputSchema:   inputSchema,
		OutputSchema:  outputSchema,
		Inputs:        []trackside.Port{{Name: "file", Description: "the text to look through", Required: true}},
		Deterministic: true,
	}, run)
}

// Never called: the host calls what is registered.
func main() {}
