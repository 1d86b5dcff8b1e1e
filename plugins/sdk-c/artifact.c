// Artifacts: read and written in pieces. A response's body is read by the same code.
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

// Bytes fetched or sent per host call: the cost of a call is far below that of copying them.
#define CHUNK (64 * 1024)
// The most that the host takes in one call.
#define MAX_CALL (1024 * 1024)

static const ts_case ARTIFACT_CASES[] = {
    {"artifact-not-found", false, "the artifact does not exist"},
    {"denied", false, NULL},
    {"quota-exceeded", false, NULL},
    {"artifact-io", true, NULL},
};
static const ts_case HTTP_CASES[] = {
    {"denied", false, NULL},      {"bad-request", false, NULL},
    {"http-dns", true, NULL},     {"http-connect", true, NULL},
    {"http-tls", false, NULL},    {"http-timeout", true, "the server did not answer in time"},
    {"http-too-large", false, NULL}, {"http-protocol", true, NULL},
};

// The cases' texts lie at the same place of the union.
bool ts_artifact_refused(const char *what, const trackside_plugin_artifacts_artifact_error_t *error) {
    return ts_refused(ARTIFACT_CASES[error->tag], what, &error->val.denied);
}

static bool http_refused(const char *what, const trackside_plugin_http_http_error_t *error) {
    return ts_refused(HTTP_CASES[error->tag], what, &error->val.denied);
}

static trackside_plugin_artifacts_borrow_artifact_t borrowed(const ts_artifact *artifact) {
    return (trackside_plugin_artifacts_borrow_artifact_t){artifact->handle};
}

ts_artifact ts_take_artifact(trackside_plugin_artifacts_own_artifact_t own) {
    trackside_plugin_artifacts_stat_t stat;
    trackside_plugin_artifacts_method_artifact_stat(trackside_plugin_artifacts_borrow_artifact(own), &stat);
    ts_artifact taken = {own.__handle, ts_string(&stat.name), ts_string(&stat.media_type), "", stat.size};
    if (stat.digest.is_some) {
        size_t size = stat.digest.val.algorithm.len + stat.digest.val.hex.len + 2;
        char *digest = ts_alloc(size);
        snprintf(digest, size, "%s:%s", ts_string(&stat.digest.val.algorithm), ts_string(&stat.digest.val.hex));
        taken.digest = digest;
    }
    return taken;
}

bool ts_inputs(const char *port, ts_artifact **artifacts, size_t *count) {
    plugin_string_t lent = ts_lend(port);
    trackside_plugin_artifacts_list_own_artifact_t found = {NULL, 0};
    trackside_plugin_artifacts_artifact_error_t error;
    if (!trackside_plugin_artifacts_input(&lent, &found, &error)) {
        if (error.tag != TRACKSIDE_PLUGIN_ARTIFACTS_ARTIFACT_ERROR_NOT_FOUND) return ts_artifact_refused(port, &error);
        found.len = 0;
    }
    *count = found.len;
    *artifacts = ts_alloc(found.len * sizeof **artifacts);
    for (size_t at = 0; at < found.len; at++) (*artifacts)[at] = ts_take_artifact(found.ptr[at]);
    return true;
}

bool ts_input(const char *port, ts_artifact *artifact) {
    ts_artifact *found;
    size_t count;
    if (!ts_inputs(port, &found, &count)) return false;
    if (count == 0) return ts_fail(false, "missing-input", port, "this input is missing: give it an artifact under `with:`");
    if (count > 1) return ts_fail(false, "too-many-inputs", port, "this input takes one artifact, not several");
    *artifact = found[0];
    return true;
}

static bool opened(bool well, int32_t handle, const char *what, const trackside_plugin_artifacts_artifact_error_t *error, ts_reader *reader) {
    *reader = (ts_reader){.handle = handle, .open = well, .failed = !well};
    return well || ts_artifact_refused(what, error);
}

bool ts_open(const ts_artifact *artifact, ts_reader *reader) {
    trackside_plugin_artifacts_own_reader_t own = {0};
    trackside_plugin_artifacts_artifact_error_t error;
    bool well = trackside_plugin_artifacts_method_artifact_open(borrowed(artifact), &own, &error);
    return opened(well, own.__handle, artifact->name, &error, reader);
}

bool ts_open_range(const ts_artifact *artifact, uint64_t offset, uint64_t length, ts_reader *reader) {
    trackside_plugin_artifacts_own_reader_t own = {0};
    trackside_plugin_artifacts_artifact_error_t error;
    uint64_t *bound = length == UINT64_MAX ? NULL : &length;
    bool well = trackside_plugin_artifacts_method_artifact_open_range(borrowed(artifact), offset, bound, &own, &error);
    return opened(well, own.__handle, artifact->name, &error, reader);
}

// Fetches the next chunk. False at the end and after an error.
static bool fill(ts_reader *reader) {
    free((void *)reader->chunk);
    reader->chunk = NULL;
    reader->used = reader->length = 0;
    if (!reader->open || reader->ended || reader->failed) return false;
    plugin_list_u8_t got = {NULL, 0};
    bool well;
    if (reader->is_response) {
        trackside_plugin_http_http_error_t error;
        well = trackside_plugin_http_method_response_read((trackside_plugin_http_borrow_response_t){reader->handle}, CHUNK, &got, &error);
        if (!well) http_refused("the response", &error);
    } else {
        trackside_plugin_artifacts_artifact_error_t error;
        well = trackside_plugin_artifacts_method_reader_read((trackside_plugin_artifacts_borrow_reader_t){reader->handle}, CHUNK, &got, &error);
        if (!well) ts_artifact_refused(NULL, &error);
    }
    reader->failed = !well;
    if (well && got.len > 0) {
        reader->chunk = (const char *)got.ptr;
        reader->length = got.len;
        return true;
    }
    ts_close(reader);
    return false;
}

void ts_close(ts_reader *reader) {
    reader->ended = true;
    if (!reader->open) return;
    reader->open = false;
    // A response belongs to its ts_response.
    if (!reader->is_response) {
        trackside_plugin_artifacts_reader_drop_own((trackside_plugin_artifacts_own_reader_t){reader->handle});
    }
}

bool ts_reader_ok(const ts_reader *reader) { return !reader->failed; }

bool ts_next_chunk(ts_reader *reader, ts_text *chunk) {
    if (reader->used == reader->length && !fill(reader)) return false;
    *chunk = (ts_text){reader->chunk + reader->used, reader->length - reader->used};
    reader->used = reader->length;
    return true;
}

static void keep(ts_reader *reader, const char *data, size_t length) {
    if (reader->line_length + length > reader->line_capacity) {
        reader->line_capacity = 2 * (reader->line_length + length);
        reader->line = ts_grow(reader->line, reader->line_capacity);
    }
    if (length > 0) memcpy(reader->line + reader->line_length, data, length);
    reader->line_length += length;
}

bool ts_next_line(ts_reader *reader, ts_text *line) {
    reader->line_length = 0;
    bool begun = false;
    while (reader->used < reader->length || fill(reader)) {
        const char *rest = reader->chunk + reader->used;
        size_t left = reader->length - reader->used;
        const char *end = memchr(rest, '\n', left);
        if (!end) {
            keep(reader, rest, left);
            reader->used = reader->length;
            begun = true;
            continue;
        }
        size_t length = (size_t)(end - rest);
        reader->used += length + 1;
        if (!begun) {
            *line = (ts_text){rest, length};
            return true;
        }
        keep(reader, rest, length);
        *line = (ts_text){reader->line, reader->line_length};
        return true;
    }
    *line = (ts_text){reader->line, reader->line_length};
    return begun && !reader->failed;
}

bool ts_read_at(const ts_artifact *artifact, uint64_t offset, uint32_t max, ts_text *bytes) {
    plugin_list_u8_t got;
    trackside_plugin_artifacts_artifact_error_t error;
    if (!trackside_plugin_artifacts_method_artifact_read_at(borrowed(artifact), offset, max, &got, &error)) {
        return ts_artifact_refused(artifact->name, &error);
    }
    *bytes = (ts_text){(const char *)got.ptr, got.len};
    return true;
}

bool ts_read_all(const ts_artifact *artifact, size_t limit, ts_text *content) {
    ts_reader reader;
    ts_text chunk;
    if (artifact->size > limit) return ts_fail(false, "too-large", artifact->name, "it has more bytes than are read");
    if (!ts_open(artifact, &reader)) return false;
    char *whole = ts_alloc((size_t)artifact->size + 1);
    size_t length = 0;
    while (ts_next_chunk(&reader, &chunk)) {
        if (chunk.length > artifact->size - length) break;
        memcpy(whole + length, chunk.data, chunk.length);
        length += chunk.length;
    }
    ts_close(&reader);
    *content = (ts_text){whole, length};
    return ts_reader_ok(&reader);
}

bool ts_contains(ts_text text, const char *what) {
    size_t length = strlen(what);
    if (length == 0) return true;
    const char *at = text.data, *end = text.data + text.length;
    while ((size_t)(end - at) >= length && (at = memchr(at, what[0], (size_t)(end - at) - length + 1))) {
        if (memcmp(at, what, length) == 0) return true;
        at++;
    }
    return false;
}

bool ts_create(const char *port, const char *name, const char *media_type, ts_writer *writer) {
    plugin_string_t lent_port = ts_lend(port), lent_name = ts_lend(name), lent_type = ts_lend(media_type);
    trackside_plugin_artifacts_own_artifact_writer_t own;
    trackside_plugin_artifacts_artifact_error_t error;
    *writer = (ts_writer){0};
    if (!trackside_plugin_artifacts_create(&lent_port, &lent_name, &lent_type, &own, &error)) return ts_artifact_refused(port, &error);
    *writer = (ts_writer){.handle = own.__handle, .open = true, .pending = ts_alloc(CHUNK)};
    return true;
}

static trackside_plugin_artifacts_borrow_artifact_writer_t borrowed_writer(const ts_writer *writer) {
    return (trackside_plugin_artifacts_borrow_artifact_writer_t){writer->handle};
}

static bool send(ts_writer *writer, const char *data, size_t length) {
    for (size_t at = 0; at < length; at += MAX_CALL) {
        plugin_list_u8_t part = ts_lend_bytes(data + at, length - at < MAX_CALL ? length - at : MAX_CALL);
        trackside_plugin_artifacts_artifact_error_t error;
        if (!trackside_plugin_artifacts_method_artifact_writer_write(borrowed_writer(writer), &part, &error)) {
            return ts_artifact_refused(NULL, &error);
        }
    }
    writer->written += length;
    return true;
}

bool ts_flush(ts_writer *writer) {
    size_t gathered = writer->gathered;
    writer->gathered = 0;
    return send(writer, writer->pending, gathered);
}

bool ts_write(ts_writer *writer, const void *data, size_t length) {
    if (!writer->open) return ts_fail(false, "artifact-io", NULL, "the writer is not open");
    if (writer->gathered + length > CHUNK && !ts_flush(writer)) return false;
    if (length >= CHUNK) return send(writer, data, length);
    if (length > 0) memcpy(writer->pending + writer->gathered, data, length);
    writer->gathered += length;
    return true;
}

bool ts_write_line(ts_writer *writer, ts_text line) { return ts_write(writer, line.data, line.length) && ts_write(writer, "\n", 1); }

bool ts_splice(ts_writer *writer, const ts_artifact *source, uint64_t offset, uint64_t length) {
    uint64_t copied, *bound = length == UINT64_MAX ? NULL : &length;
    trackside_plugin_artifacts_artifact_error_t error;
    if (!ts_flush(writer)) return false;
    if (!trackside_plugin_artifacts_method_artifact_writer_splice_from(borrowed_writer(writer), borrowed(source), offset, bound, &copied, &error)) {
        return ts_artifact_refused(source->name, &error);
    }
    writer->written += copied;
    return true;
}

bool ts_attribute(ts_writer *writer, const char *key, const char *value) {
    plugin_string_t lent_key = ts_lend(key), lent_value = ts_lend(value);
    trackside_plugin_artifacts_artifact_error_t error;
    return trackside_plugin_artifacts_method_artifact_writer_set_attribute(borrowed_writer(writer), &lent_key, &lent_value, &error) ||
           ts_artifact_refused(key, &error);
}

bool ts_commit(ts_writer *writer, ts_artifact *artifact) {
    trackside_plugin_artifacts_own_artifact_t own;
    trackside_plugin_artifacts_artifact_error_t error;
    if (!writer->open) return ts_fail(false, "artifact-io", NULL, "the writer is not open");
    if (!ts_flush(writer)) return false;
    bool well = trackside_plugin_artifacts_method_artifact_writer_commit(borrowed_writer(writer), &own, &error);
    writer->open = false;
    free(writer->pending);
    writer->pending = NULL;
    if (!well) return ts_artifact_refused(NULL, &error);
    if (artifact) *artifact = ts_take_artifact(own);
    return true;
}

// ---- HTTP, which shares the readers above ----

bool ts_send(const ts_request *request, ts_response *response) {
    size_t count = 0;
    while (request->headers && request->headers[count].name) count++;
    plugin_tuple2_string_string_t *headers = ts_alloc(count * sizeof *headers);
    for (size_t at = 0; at < count; at++) {
        headers[at] = (plugin_tuple2_string_string_t){ts_lend(request->headers[at].name), ts_lend(request->headers[at].value)};
    }
    bool has_body = request->artifact || request->body.length > 0;
    trackside_plugin_http_request_t head = {
        .method = ts_lend(request->method ? request->method : has_body ? "POST" : "GET"),
        .url = ts_lend(request->url),
        .headers = {headers, count},
        .timeout_ms = {request->timeout_ms > 0, request->timeout_ms},
    };
    plugin_list_u8_t body = ts_lend_bytes(request->body.data, request->body.length);
    trackside_plugin_http_own_response_t own;
    trackside_plugin_http_http_error_t error;
    bool well = request->artifact ? trackside_plugin_http_send_artifact(&head, borrowed(request->artifact), &own, &error)
                                  : trackside_plugin_http_send(&head, &body, &own, &error);
    free(headers);
    if (!well) return http_refused(request->url, &error);
    trackside_plugin_http_borrow_response_t borrow = trackside_plugin_http_borrow_response(own);
    trackside_plugin_http_attributes_t got;
    trackside_plugin_http_method_response_headers(borrow, &got);
    ts_header *list = ts_alloc((got.len + 1) * sizeof *list);
    for (size_t at = 0; at < got.len; at++) list[at] = (ts_header){ts_string(&got.ptr[at].f0), ts_string(&got.ptr[at].f1)};
    *response = (ts_response){
        .handle = own.__handle,
        .status = trackside_plugin_http_method_response_status(borrow),
        .headers = list,
        .body = {.handle = own.__handle, .is_response = true, .open = true},
    };
    return true;
}

// ASCII letters only, as header names have it.
static bool same_name(const char *one, const char *other) {
    for (; *one && *other; one++, other++) {
        int a = *one >= 'A' && *one <= 'Z' ? *one + 32 : *one, b = *other >= 'A' && *other <= 'Z' ? *other + 32 : *other;
        if (a != b) return false;
    }
    return *one == *other;
}

const char *ts_response_header(const ts_response *response, const char *name) {
    for (const ts_header *header = response->headers; header->name; header++) {
        if (same_name(header->name, name)) return header->value;
    }
    return NULL;
}

bool ts_save(ts_response *response, ts_writer *writer) {
    uint64_t saved;
    trackside_plugin_http_http_error_t error;
    if (!ts_flush(writer)) return false;
    trackside_plugin_http_borrow_response_t borrow = {response->handle};
    if (!trackside_plugin_http_method_response_save_to(borrow, borrowed_writer(writer), &saved, &error)) {
        return http_refused("saving the response", &error);
    }
    writer->written += saved;
    return true;
}
