from dataclasses import dataclass
from typing import Literal

from trackside_sdk import Port, RetryableError, Skipped, StepContext, StepError, Want, plugin


@dataclass
class Input:
    pattern: str = ""
    fail: Literal["fatal", "retryable"] | None = None


@dataclass
class Output:
    lines: int
    bytes: int
    matches: int
    total: int | None = None


@plugin(
    name="line-stats-python",
    version="0.1.0",
    summary="Counts lines, and keeps those that contain a text",
    inputs=[Port("file", "the text to count", required=True)],
    outputs=[Port("matching", "the lines that contain the pattern", media_types=["text/plain"])],
    wants=[Want("state", reason="a total over all runs", optional=True)],
)
def run(input: Input, step: StepContext) -> Output | Skipped:
    if input.fail == "retryable":
        raise RetryableError("as-asked", "failing as asked", retry_after=1.5)
    if input.fail == "fatal":
        raise StepError("as-asked", "failing as asked")

    file = step.input("file")
    if file.size == 0:
        return Skipped("the file is empty")

    output = Output(lines=0, bytes=file.size, matches=0)
    pattern = input.pattern.encode()
    matching = None
    for line in file.open():
        output.lines += 1
        if pattern and pattern in line:
            output.matches += 1
            matching = matching or step.create("matching", "matches.txt", "text/plain")
            matching.write(line.removesuffix(b"\n") + b"\n")
    if matching:
        matching.commit()

    if step.state.granted:
        output.total = step.state.update("total", lambda total: total + output.lines, default=0)
    step.log.info(f"{file.name}: {output.lines} lines, {output.matches} with the pattern")
    return output
