// Write a Trackside step in C. README.md is the manual.
//
// A plugin defines one `const ts_plugin ts_the_plugin` with its description and its `run` function. Functions that can
// fail return false and remember why; `return ts_failed();` then ends the step with that error. Every attempt runs in a
// fresh instance, so texts that these functions hand out stay valid to its end and are never freed.
#ifndef TRACKSIDE_H
#define TRACKSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Text or bytes with their length. Not terminated by a zero.
typedef struct {
    const char *data;
    size_t length;
} ts_text;

// ---- The plugin --------------------------------------------------------------------------------------------------

// A place where artifacts come in or go out. Arrays of ports end with an entry without a name.
typedef struct {
    const char *name;
    const char *description;
    // NULL, or media types that end with NULL.
    const char *const *media_types;
    bool required;
    bool many;
} ts_port;

// Something that the plugin asks the operator for: `kind` is a key of `allow:`. Arrays end with an entry without a kind.
typedef struct {
    const char *kind;
    const char *value;
    const char *reason;
    bool optional;
} ts_want;

// How a step ends. Made by ts_done, ts_skipped, ts_fatal, ts_retryable and ts_failed.
typedef struct ts_outcome ts_outcome;

// A JSON value.
typedef struct ts_json ts_json;

typedef struct {
    const char *name;
    const char *version;
    const char *summary;
    const char *docs; // Markdown, or NULL
    const char *input_schema;
    const char *output_schema;
    const ts_port *inputs;
    const ts_port *outputs;
    const ts_want *wants;
    bool deterministic;
    const ts_outcome *(*run)(const ts_json *input);
} ts_plugin;

// Defined by the author.
extern const ts_plugin ts_the_plugin;

// ---- Outcomes ----------------------------------------------------------------------------------------------------

// Done; the output is JSON text made as by printf. Texts in it go through ts_quote.
__attribute__((format(printf, 1, 2))) const ts_outcome *ts_done(const char *format, ...);
// There was nothing to do; steps that need this one see it as skipped.
__attribute__((format(printf, 1, 2))) const ts_outcome *ts_skipped(const char *format, ...);
// An error that will be the same next time. `code` is stable and kebab-case.
__attribute__((format(printf, 2, 3))) const ts_outcome *ts_fatal(const char *code, const char *format, ...);
// An error that may be gone next time; `wait_ms` asks for at least that wait, 0 for none.
__attribute__((format(printf, 3, 4))) const ts_outcome *ts_retryable(const char *code, uint32_t wait_ms, const char *format, ...);
// The error of the call that returned false last.
const ts_outcome *ts_failed(void);
// Its code; "" when there is none.
const char *ts_error_code(void);
// Adds a detail for programs to the error that ends this step.
void ts_error_extra(const char *key, const char *value);

// ---- JSON --------------------------------------------------------------------------------------------------------

// A member of an object or NULL; NULL members of anything else.
const ts_json *ts_json_get(const ts_json *object, const char *key);
// Elements of an array.
size_t ts_json_count(const ts_json *array);
const ts_json *ts_json_at(const ts_json *array, size_t index);
// The member's value, or `otherwise` when it is absent or of another type.
const char *ts_json_text(const ts_json *object, const char *key, const char *otherwise);
double ts_json_number(const ts_json *object, const char *key, double otherwise);
bool ts_json_bool(const ts_json *object, const char *key, bool otherwise);
// The value itself, as above.
const char *ts_json_as_text(const ts_json *value, const char *otherwise);
double ts_json_as_number(const ts_json *value, double otherwise);
// Parses a document. NULL with the error `bad-json` when it is none.
const ts_json *ts_json_parse(ts_text document);
// A text as JSON, with its quotes.
const char *ts_quote(const char *text);

// ---- Context -----------------------------------------------------------------------------------------------------

typedef struct {
    const char *workflow, *run_id, *step, *idempotency_key, *trigger_kind;
    uint32_t attempt;          // 1 on the first try
    uint64_t logical_time_ms;  // since 1970; the scheduled or event time, not "now"
} ts_info;

ts_info ts_context(void);
// Milliseconds left; UINT64_MAX when there is no limit.
uint64_t ts_remaining_ms(void);
// Whether somebody asked the step to stop. A step that loops for long checks it now and then.
bool ts_cancelled(void);

// ---- Artifacts ---------------------------------------------------------------------------------------------------

typedef struct {
    int32_t handle;
    const char *name;
    const char *media_type;
    const char *digest; // "sha256:…", or "" when it is not known
    uint64_t size;
} ts_artifact;

// Reads in order. A zeroed one is closed.
typedef struct {
    int32_t handle;
    bool is_response, open, failed, ended;
    const char *chunk;
    size_t used, length;
    char *line;
    size_t line_length, line_capacity;
} ts_reader;

// Writes in order; small writes are gathered. Without ts_commit nothing remains.
typedef struct {
    int32_t handle;
    bool open;
    uint64_t written;
    char *pending;
    size_t gathered;
} ts_writer;

// The one artifact of an input port. Fails with `missing-input` or `too-many-inputs`.
bool ts_input(const char *port, ts_artifact *artifact);
// All artifacts of an input port, in an array of `*count`.
bool ts_inputs(const char *port, ts_artifact **artifacts, size_t *count);
bool ts_open(const ts_artifact *artifact, ts_reader *reader);
// `length` UINT64_MAX: to the end.
bool ts_open_range(const ts_artifact *artifact, uint64_t offset, uint64_t length, ts_reader *reader);
// The next bytes; valid until the next call. False at the end and after an error: ts_reader_ok tells them apart.
bool ts_next_chunk(ts_reader *reader, ts_text *chunk);
// The next line without its line feed; valid until the next call. False as ts_next_chunk.
bool ts_next_line(ts_reader *reader, ts_text *line);
// Whether reading went well so far.
bool ts_reader_ok(const ts_reader *reader);
// Ends reading early; what was read to its end needs it not.
void ts_close(ts_reader *reader);
// At most `max` bytes from `offset`; fewer only at the end, or above 1 MiB.
bool ts_read_at(const ts_artifact *artifact, uint64_t offset, uint32_t max, ts_text *bytes);
// All of it, when it has at most `limit` bytes.
bool ts_read_all(const ts_artifact *artifact, size_t limit, ts_text *content);
// Whether `text` contains `what`.
bool ts_contains(ts_text text, const char *what);

bool ts_create(const char *port, const char *name, const char *media_type, ts_writer *writer);
bool ts_write(ts_writer *writer, const void *data, size_t length);
bool ts_write_line(ts_writer *writer, ts_text line);
// Appends a part of another artifact; no byte of it enters the plugin's memory.
bool ts_splice(ts_writer *writer, const ts_artifact *source, uint64_t offset, uint64_t length);
bool ts_attribute(ts_writer *writer, const char *key, const char *value);
// Makes it durable; `artifact` may be NULL. Later steps see it if this step succeeds.
bool ts_commit(ts_writer *writer, ts_artifact *artifact);

// ---- State: needs `allow: { state: true }` -----------------------------------------------------------------------

typedef enum { TS_STEP, TS_WORKFLOW } ts_scope;

// `value` has no data when the key is unset.
bool ts_state_get(ts_scope scope, const char *key, ts_text *value);
bool ts_state_set(ts_scope scope, const char *key, ts_text value);
bool ts_state_remove(ts_scope scope, const char *key);
// A number kept as JSON; adds `delta` and gives the sum. A change made meanwhile is `state-conflict` (retryable).
bool ts_state_add(ts_scope scope, const char *key, int64_t delta, int64_t *sum);
// Whether the step may use it.
bool ts_state_granted(ts_scope scope);

// ---- Outbox: carried out once the step has succeeded -------------------------------------------------------------

typedef enum { TS_REFUSE, TS_KEEP, TS_REPLACE, TS_NUMBER } ts_if_present;

// A file below a folder that `allow: { deliver: [FOLDER] }` grants; `path` is relative, with `/`.
bool ts_deliver(const ts_artifact *artifact, const char *path, ts_if_present present);
bool ts_publish(const char *channel, const char *topic, ts_text payload);
bool ts_emit(const char *event, const char *data_json);

// ---- Telemetry ---------------------------------------------------------------------------------------------------

typedef enum { TS_TRACE, TS_DEBUG, TS_INFO, TS_WARN, TS_ERROR } ts_level;

__attribute__((format(printf, 2, 3))) void ts_log(ts_level level, const char *format, ...);
void ts_count(const char *name, double delta);
void ts_gauge(const char *name, double value);
void ts_histogram(const char *name, double value);
// How far it is, 0 to 1, for people who watch.
void ts_progress(float fraction, const char *note);

// ---- HTTP: needs `allow: { http: [ORIGIN] }` ---------------------------------------------------------------------

typedef struct {
    const char *name, *value;
} ts_header;

typedef struct {
    const char *method; // NULL: GET, or POST with a body
    const char *url;
    const ts_header *headers; // ends with an entry without a name; may be NULL
    uint64_t timeout_ms;      // 0: the step's own limit
    ts_text body;
    const ts_artifact *artifact; // instead of `body`
} ts_request;

typedef struct {
    int32_t handle;
    uint16_t status;
    const ts_header *headers;
    ts_reader body;
} ts_response;

// Sends it and waits for the response's head. Statuses are not errors; redirects are not followed.
bool ts_send(const ts_request *request, ts_response *response);
const char *ts_response_header(const ts_response *response, const char *name);
// The rest of the body straight into an artifact.
bool ts_save(ts_response *response, ts_writer *writer);
// An opaque token for request headers; the host replaces it on the way out. Needs `allow: { secrets: [NAME] }`.
bool ts_secret(const char *name, const char **placeholder);

// ---- Models: need `allow: { models: [NAME] }` --------------------------------------------------------------------

typedef enum {
    TS_BOOLEAN, TS_UINT8, TS_INT8, TS_UINT16, TS_INT16, TS_UINT32, TS_INT32, TS_UINT64, TS_INT64,
    TS_FLOAT16, TS_BFLOAT16, TS_FLOAT32, TS_FLOAT64, TS_STRING,
} ts_element;

// A tensor held by the host.
typedef struct {
    const char *name;
    int32_t handle;
} ts_tensor;

typedef struct {
    int32_t handle;
} ts_model;

bool ts_model_open(const char *name, ts_model *model);
// `data` is little-endian, in row-major order.
bool ts_tensor_make(const char *name, ts_element element, const uint32_t *shape, size_t rank, const void *data, size_t length, ts_tensor *tensor);
// Gives all outputs, in an array of `*count`.
bool ts_model_run(ts_model model, const ts_tensor *inputs, size_t input_count, ts_tensor **outputs, size_t *count);
bool ts_tensor_read(ts_tensor tensor, ts_text *bytes);

#ifdef __cplusplus
}
#endif
#endif
