#include "trackside.h"

#include <inttypes.h>
#include <string.h>

static const ts_outcome *run(const ts_json *input) {
    const char *pattern = ts_json_text(input, "pattern", "");
    const char *fail = ts_json_text(input, "fail", "");
    if (strcmp(fail, "retryable") == 0) return ts_retryable("as-asked", 1500, "failing as asked");
    if (strcmp(fail, "fatal") == 0) return ts_fatal("as-asked", "failing as asked");

    ts_artifact file;
    ts_reader reader;
    ts_writer matching = {0};
    ts_text line;
    int64_t lines = 0, matches = 0, total;
    if (!ts_input("file", &file)) return ts_failed();
    if (file.size == 0) return ts_skipped("the file is empty");
    if (!ts_open(&file, &reader)) return ts_failed();
    while (ts_next_line(&reader, &line)) {
        lines++;
        if (*pattern == 0 || !ts_contains(line, pattern)) continue;
        matches++;
        if (!matching.open && !ts_create("matching", "matches.txt", "text/plain", &matching)) return ts_failed();
        if (!ts_write_line(&matching, line)) return ts_failed();
    }
    if (!ts_reader_ok(&reader)) return ts_failed();
    if (matching.open && !ts_commit(&matching, NULL)) return ts_failed();

    ts_log(TS_INFO, "%s: %" PRId64 " lines, %" PRId64 " with the pattern", file.name, lines, matches);
    if (!ts_state_granted(TS_STEP)) {
        return ts_done("{\"lines\":%" PRId64 ",\"bytes\":%" PRIu64 ",\"matches\":%" PRId64 "}", lines, file.size, matches);
    }
    if (!ts_state_add(TS_STEP, "total", lines, &total)) return ts_failed();
    return ts_done("{\"lines\":%" PRId64 ",\"bytes\":%" PRIu64 ",\"matches\":%" PRId64 ",\"total\":%" PRId64 "}", lines, file.size,
                   matches, total);
}

const ts_plugin ts_the_plugin = {
    .name = "line-stats-c",
    .version = "0.1.0",
    .summary = "Counts lines, and keeps those that contain a text",
    .input_schema = "{\"type\": \"object\", \"properties\": {\"file\": true, \"pattern\": {\"type\": \"string\"},"
                    " \"fail\": {\"enum\": [\"fatal\", \"retryable\"]}}, \"required\": [\"file\"], \"additionalProperties\": false}",
    .output_schema = "{\"type\": \"object\", \"properties\": {\"lines\": {\"type\": \"integer\"}, \"bytes\": {\"type\": \"integer\"},"
                     " \"matches\": {\"type\": \"integer\"}, \"total\": {\"type\": \"integer\"}},"
                     " \"required\": [\"lines\", \"bytes\", \"matches\"]}",
    .inputs = (const ts_port[]){{.name = "file", .description = "the text to count", .required = true}, {0}},
    .outputs = (const ts_port[]){{.name = "matching",
                                  .description = "the lines that contain the pattern",
                                  .media_types = (const char *const[]){"text/plain", NULL}},
                                 {0}},
    .wants = (const ts_want[]){{.kind = "state", .reason = "a total over all runs", .optional = true}, {0}},
    .run = run,
};
