const std = @import("std");
const ts = @import("trackside");

fn run(input: ?*const ts.ts_json) callconv(.c) ?*const ts.ts_outcome {
    const contains = std.mem.span(ts.ts_json_text(input, "contains", ""));
    var file: ts.ts_artifact = undefined;
    var reader: ts.ts_reader = undefined;
    var line: ts.ts_text = undefined;
    var lines: c_uint = 0;
    var found: c_uint = 0;

    if (!ts.ts_input("file", &file)) return ts.ts_failed();
    if (file.size == 0) return ts.ts_skipped("the file is empty");
    if (!ts.ts_open(&file, &reader)) return ts.ts_failed();
    while (ts.ts_next_line(&reader, &line)) {
        lines += 1;
        const text: []const u8 = if (line.length == 0) "" else line.data[0..line.length];
        if (std.mem.indexOf(u8, text, contains) != null) found += 1;
    }
    if (!ts.ts_reader_ok(&reader)) return ts.ts_failed();

    ts.ts_log(ts.TS_INFO, "%s: %u lines", file.name, lines);
    return ts.ts_done("{\"lines\":%u,\"found\":%u}", lines, found);
}

const inputs = [_]ts.ts_port{
    .{ .name = "file", .description = "the text to look through", .required = true },
    .{},
};

export const ts_the_plugin: ts.ts_plugin = .{
    .name = "{{name}}",
    .version = "0.1.0",
    .summary = "Counts the lines that contain a text",
    .input_schema = @embedFile("input.schema.json"),
    .output_schema = @embedFile("output.schema.json"),
    .inputs = &inputs,
    .deterministic = true,
    .run = &run,
};
