from dataclasses import dataclass

from trackside_sdk import Port, Skipped, StepContext, plugin


@dataclass
class Input:
    contains: str


@dataclass
class Output:
    lines: int = 0
    found: int = 0


@plugin(
    name="{{name}}",
    version="0.1.0",
    summary="Counts the lines that contain a text",
    inputs=[Port("file", "the text to look through", required=True)],
    deterministic=True,
)
def run(input: Input, step: StepContext) -> Output | Skipped:
    file = step.input("file")
    if file.size == 0:
        return Skipped("the file is empty")

    output = Output()
    for line in file.lines():
        output.lines += 1
        output.found += input.contains in line
    step.log.info(f"{file.name}: {output.lines} lines")
    return output
