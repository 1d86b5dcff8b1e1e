// ONNX models by name; tensors live in the host.
#include "internal.h"

#define PART (1024 * 1024)

static const ts_case CASES[] = {
    {"model-not-found", false, NULL},   {"denied", false, NULL},
    {"bad-tensor", false, NULL},        {"resource-exhausted", true, NULL},
    {"model-timeout", true, "the model did not answer in time"}, {"model-failed", false, NULL},
};

static bool refused(const char *what, const trackside_plugin_inference_inference_error_t *error) {
    return ts_refused(CASES[error->tag], what, &error->val.denied);
}

bool ts_model_open(const char *name, ts_model *model) {
    plugin_string_t lent = ts_lend(name);
    trackside_plugin_inference_own_model_t own;
    trackside_plugin_inference_inference_error_t error;
    if (!trackside_plugin_inference_static_model_open(&lent, &own, &error)) return refused(name, &error);
    model->handle = own.__handle;
    return true;
}

bool ts_tensor_make(const char *name, ts_element element, const uint32_t *shape, size_t rank, const void *data, size_t length, ts_tensor *tensor) {
    plugin_list_u32_t dims = {(uint32_t *)shape, rank};
    plugin_list_u8_t bytes = ts_lend_bytes(data, length);
    trackside_plugin_inference_own_tensor_t own;
    trackside_plugin_inference_inference_error_t error;
    trackside_plugin_inference_element_type_t kind = (trackside_plugin_inference_element_type_t)element;
    if (!trackside_plugin_inference_static_tensor_from_bytes(kind, &dims, &bytes, &own, &error)) return refused(name, &error);
    *tensor = (ts_tensor){name, own.__handle};
    return true;
}

bool ts_model_run(ts_model model, const ts_tensor *inputs, size_t input_count, ts_tensor **outputs, size_t *count) {
    trackside_plugin_inference_list_tuple2_string_borrow_tensor_t given = {
        ts_alloc(input_count * sizeof *given.ptr), input_count};
    for (size_t at = 0; at < input_count; at++) {
        given.ptr[at].f0 = ts_lend(inputs[at].name);
        given.ptr[at].f1.__handle = inputs[at].handle;
    }
    plugin_list_string_t all = {NULL, 0};
    trackside_plugin_inference_list_tuple2_string_own_tensor_t made;
    trackside_plugin_inference_inference_error_t error;
    trackside_plugin_inference_borrow_model_t borrow = {model.handle};
    if (!trackside_plugin_inference_method_model_run(borrow, &given, &all, &made, &error)) return refused(NULL, &error);
    *count = made.len;
    *outputs = ts_alloc(made.len * sizeof **outputs);
    for (size_t at = 0; at < made.len; at++) (*outputs)[at] = (ts_tensor){ts_string(&made.ptr[at].f0), made.ptr[at].f1.__handle};
    return true;
}

bool ts_tensor_read(ts_tensor tensor, ts_text *bytes) {
    trackside_plugin_inference_borrow_tensor_t borrow = {tensor.handle};
    size_t length = (size_t)trackside_plugin_inference_method_tensor_byte_length(borrow), at = 0;
    char *whole = ts_alloc(length);
    while (at < length) {
        plugin_list_u8_t part;
        trackside_plugin_inference_inference_error_t error;
        if (!trackside_plugin_inference_method_tensor_read_at(borrow, at, PART, &part, &error)) return refused(tensor.name, &error);
        if (part.len == 0 || part.len > length - at) {
            return ts_fail(false, "bad-tensor", tensor.name, "the host gave another number of bytes than it announced");
        }
        memcpy(whole + at, part.ptr, part.len);
        at += part.len;
        plugin_list_u8_free(&part);
    }
    *bytes = (ts_text){whole, length};
    return true;
}
