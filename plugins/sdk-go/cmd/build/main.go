// Command build compiles the plugin in the current folder: `go run ./trackside/cmd/build -o build/plugin.wasm`.
//
// It calls `go build` for WASI as a library (a program would end before anything calls it) and appends the section that
// says which world the module has. `trackside plugin build` makes the component of it.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed component-type.bin
var world []byte

func main() {
	output := flag.String("o", "build/plugin.wasm", "where the module goes")
	flag.Parse()
	if err := build(*output, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func build(output string, packages []string) error {
	if err := os.MkdirAll(filepath.Dir(output), 0o777); err != nil {
		return err
	}
	// Paths and times of this machine stay out, so that the same sources give the same bytes. Function names are not
	// part of the symbol table: panics show them all the same.
	arguments := []string{"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w -buildid=", "-o", output}
	command := exec.Command("go", append(arguments, packages...)...)
	command.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	module, err := os.OpenFile(output, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := module.Write(world); err != nil {
		return err
	}
	return module.Close()
}
