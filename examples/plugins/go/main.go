package main

import (
	"bytes"
	"fmt"
	"time"

	trackside "github.com/trackside/trackside/plugins/sdk-go"
)

type Input struct {
	Pattern string `json:"pattern"`
	Fail    string `json:"fail"`
}

type Output struct {
	Lines   int64  `json:"lines"`
	Bytes   int64  `json:"bytes"`
	Matches int64  `json:"matches"`
	Total   *int64 `json:"total,omitempty"`
}

func run(input Input, step *trackside.Step) (output Output, err error) {
	switch input.Fail {
	case "retryable":
		return output, trackside.Retryable("as-asked", "failing as asked").RetryAfter(1500 * time.Millisecond)
	case "fatal":
		return output, trackside.Fatal("as-asked", "failing as asked")
	}

	file, err := step.Input("file")
	if err != nil {
		return output, err
	}
	if file.Size == 0 {
		return output, trackside.Skip("the file is empty")
	}
	output.Bytes = file.Size
	var matching *trackside.Writer
	for line, err := range file.Lines() {
		if err != nil {
			return output, err
		}
		output.Lines++
		if input.Pattern == "" || !bytes.Contains(line, []byte(input.Pattern)) {
			continue
		}
		output.Matches++
		if matching == nil {
			if matching, err = step.Create("matching", "matches.txt", "text/plain"); err != nil {
				return output, err
			}
		}
		if err := matching.WriteLine(line); err != nil {
			return output, err
		}
	}
	if matching != nil {
		if _, err := matching.Commit(); err != nil {
			return output, err
		}
	}

	if step.State.Granted() {
		total, err := trackside.Update(step.State, "total", func(total *int64) { *total += output.Lines })
		if err != nil {
			return output, err
		}
		output.Total = &total
	}
	step.Log.Info(fmt.Sprintf("%s: %d lines, %d with the pattern", file.Name, output.Lines, output.Matches))
	return output, nil
}

func init() {
	trackside.Register(trackside.Plugin{
		Name:    "line-stats-go",
		Version: "0.1.0",
		Summary: "Counts lines, and keeps those that contain a text",
		InputSchema: `{
			"type": "object",
			"properties": {
				"file": true,
				"pattern": { "type": "string" },
				"fail": { "enum": ["fatal", "retryable"] }
			},
			"required": ["file"],
			"additionalProperties": false
		}`,
		OutputSchema: `{
			"type": "object",
			"properties": {
				"lines": { "type": "integer" },
				"bytes": { "type": "integer" },
				"matches": { "type": "integer" },
				"total": { "type": "integer" }
			},
			"required": ["lines", "bytes", "matches"]
		}`,
		Inputs:  []trackside.Port{{Name: "file", Description: "the text to count", Required: true}},
		Outputs: []trackside.Port{{Name: "matching", Description: "the lines that contain the pattern", MediaTypes: []string{"text/plain"}}},
		Wants:   []trackside.Want{{Kind: "state", Reason: "a total over all runs", Optional: true}},
	}, run)
}

func main() {}
