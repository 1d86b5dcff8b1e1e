#include "trackside.h"

static const ts_outcome *run(const ts_json *input) {
    const char *contains = ts_json_text(input, "contains", "");
    ts_artifact file;
    ts_reader reader;
    ts_text line;
    unsigned lines = 0, found = 0;

    if (!ts_input("file", &file)) return ts_failed();
    if (file.size == 0) return ts_skipped("the file is empty");
    if (!ts_open(&file, &reader)) return ts_failed();
    while (ts_next_line(&reader, &line)) {
        lines++;
        found += ts_contains(line, contains);
    }
    if (!ts_reader_ok(&reader)) return ts_failed();

    ts_log(TS_INFO, "%s: %u lines", file.name, lines);
    return ts_done("{\"lines\":%u,\"found\":%u}", lines, found);
}

static const ts_port inputs[] = {
    {.name = "file", .description = "the text to look through", .required = true},
    {0},
};

const ts_plugin ts_the_plugin = {
    .name = "{{name}}",
    .version = "0.1.0",
    .summary = "Counts the lines that contain a text",
    .input_schema = "{\"type\": \"object\", \"properties\": {\"file\": true, \"contains\": {\"type\": \"string\"} },"
                    " \"required\": [\"file\", \"contains\"], \"additionalProperties\": false}",
    .output_schema = "{\"type\": \"object\", \"properties\": {\"lines\": {\"type\": \"integer\"}, \"found\": {\"type\": \"integer\"} },"
                     " \"required\": [\"lines\", \"found\"]}",
    .inputs = inputs,
    .deterministic = true,
    .run = run,
};
