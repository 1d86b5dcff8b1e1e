const std = @import("std");
const ts = @import("trackside");

fn run(input: ?*const ts.ts_json) callconv(.c) ?*const ts.ts_outcome {
    const pattern = std.mem.span(ts.ts_json_text(input, "pattern", ""));
    const fail = std.mem.span(ts.ts_json_text(input, "fail", ""));
    if (std.mem.eql(u8, fail, "retryable")) return ts.ts_retryable("as-asked", 1500, "failing as asked");
    if (std.mem.eql(u8, fail, "fatal")) return ts.ts_fatal("as-asked", "failing as asked");
    return count(pattern) catch ts.ts_failed();
}

/// A call of the SDK that returned false: `ts_failed` knows why.
const Failed = error{Failed};

fn try_(well: bool) Failed!void {
    if (!well) return error.Failed;
}

fn count(pattern: []const u8) Failed!?*const ts.ts_outcome {
    var file: ts.ts_artifact = undefined;
    try try_(ts.ts_input("file", &file));
    if (file.size == 0) return ts.ts_skipped("the file is empty");

    var reader: ts.ts_reader = undefined;
    var matching = std.mem.zeroes(ts.ts_writer);
    var line: ts.ts_text = undefined;
    var lines: i64 = 0;
    var matches: u64 = 0;
    try try_(ts.ts_open(&file, &reader));
    while (ts.ts_next_line(&reader, &line)) {
        lines += 1;
        const found = pattern.len > 0 and std.mem.indexOf(u8, slice(line), pattern) != null;
        if (!found) continue;
        matches += 1;
        if (!matching.open) try try_(ts.ts_create("matching", "matches.txt", "text/plain", &matching));
        try try_(ts.ts_write_line(&matching, line));
    }
    try try_(ts.ts_reader_ok(&reader));
    if (matching.open) try try_(ts.ts_commit(&matching, null));

    ts.ts_log(ts.TS_INFO, "%s: %lld lines, %llu with the pattern", file.name, lines, matches);
    if (!ts.ts_state_granted(ts.TS_STEP)) {
        return ts.ts_done("{\"lines\":%lld,\"bytes\":%llu,\"matches\":%llu}", lines, file.size, matches);
    }
    var total: i64 = 0;
    try try_(ts.ts_state_add(ts.TS_STEP, "total", lines, &total));
    return ts.ts_done("{\"lines\":%lld,\"bytes\":%llu,\"matches\":%llu,\"total\":%lld}", lines, file.size, matches, total);
}

fn slice(text: ts.ts_text) []const u8 {
    return if (text.length == 0) "" else text.data[0..text.length];
}

export const ts_the_plugin: ts.ts_plugin = .{
    .name = "line-stats-zig",
    .version = "0.1.0",
    .summary = "Counts lines, and keeps those that contain a text",
    .input_schema = @embedFile("input.schema.json"),
    .output_schema = @embedFile("output.schema.json"),
    .inputs = &[_]ts.ts_port{
        .{ .name = "file", .description = "the text to count", .required = true },
        .{},
    },
    .outputs = &[_]ts.ts_port{
        .{ .name = "matching", .description = "the lines that contain the pattern", .media_types = &[_][*c]const u8{ "text/plain", null } },
        .{},
    },
    .wants = &[_]ts.ts_want{
        .{ .kind = "state", .reason = "a total over all runs", .optional = true },
        .{},
    },
    .run = &run,
};
