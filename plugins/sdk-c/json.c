// A small JSON reader: the input document as a tree. Numbers are doubles, as JavaScript has them.
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

// Deeper documents are refused: the reader calls itself.
#define MAX_DEPTH 128

struct ts_json {
    enum { NOTHING, FALSE, TRUE, NUMBER, TEXT, ARRAY, OBJECT } kind;
    double number;
    const char *text, *key;
    struct ts_json *first, *next;
};

typedef struct {
    const char *at, *end, *problem;
} parser;

static void space(parser *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) in->at++;
}

static bool problem(parser *in, const char *what) {
    if (!in->problem) in->problem = what;
    return false;
}

static bool take(parser *in, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0) return false;
    in->at += length;
    return true;
}

static bool hex4(parser *in, unsigned *value) {
    *value = 0;
    for (int digit = 0; digit < 4; digit++, in->at++) {
        if (in->at == in->end) return problem(in, "an escape ends early");
        char c = *in->at;
        unsigned add = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
        if (add == 16) return problem(in, "an escape holds no hexadecimal number");
        *value = *value * 16 + add;
    }
    return true;
}

static char *put_point(char *to, unsigned point) {
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

static bool escape(parser *in, char **to) {
    static const char *const names = "\"\\/bfnrt", *const values = "\"\\/\b\f\n\r\t";
    if (in->at == in->end) return problem(in, "a text does not end");
    char c = *in->at++;
    const char *known = c ? strchr(names, c) : NULL;
    if (known) {
        *(*to)++ = values[known - names];
        return true;
    }
    unsigned point, low;
    if (c != 'u') return problem(in, "an escape is unknown");
    if (!hex4(in, &point)) return false;
    if (point >= 0xd800 && point <= 0xdbff && take(in, "\\u")) {
        if (!hex4(in, &low)) return false;
        point = low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    // Texts are C strings here: a zero would end them.
    *to = put_point(*to, point ? point : 0xfffd);
    return true;
}

static bool text(parser *in, const char **value) {
    if (in->at == in->end || *in->at != '"') return problem(in, "a text was expected");
    const char *end = ++in->at;
    while (end < in->end && *end != '"') end += *end == '\\' && end + 1 < in->end ? 2 : 1;
    // What an escape stands for is never longer than the escape.
    char *copy = ts_alloc((size_t)(end - in->at) + 1), *to = copy;
    while (in->at < in->end && *in->at != '"') {
        if (*in->at != '\\') {
            *to++ = *in->at++;
            continue;
        }
        in->at++;
        if (!escape(in, &to)) return false;
    }
    if (in->at == in->end) return problem(in, "a text does not end");
    in->at++;
    *value = copy;
    return true;
}

static bool value(parser *in, ts_json *into, int depth);

// Members of an object or elements of an array, to their closing bracket.
static bool members(parser *in, ts_json *into, char close, int depth) {
    ts_json **link = &into->first;
    in->at++;
    space(in);
    if (in->at < in->end && *in->at == close) {
        in->at++;
        return true;
    }
    for (;;) {
        ts_json *member = ts_alloc(sizeof *member);
        space(in);
        if (into->kind == OBJECT) {
            if (!text(in, &member->key)) return false;
            space(in);
            if (!take(in, ":")) return problem(in, "a colon was expected");
        }
        if (!value(in, member, depth + 1)) return false;
        *link = member;
        link = &member->next;
        space(in);
        if (in->at < in->end && *in->at == close) {
            in->at++;
            return true;
        }
        if (!take(in, ",")) return problem(in, "a comma was expected");
    }
}

static bool number(parser *in, ts_json *into) {
    char digits[64];
    size_t length = 0;
    while (in->at < in->end && strchr("+-.0123456789eE", *in->at) && *in->at && length + 1 < sizeof digits) digits[length++] = *in->at++;
    digits[length] = 0;
    char *end;
    into->kind = NUMBER;
    into->number = strtod(digits, &end);
    return (length > 0 && *end == 0) || problem(in, "a value was expected");
}

static bool value(parser *in, ts_json *into, int depth) {
    if (depth > MAX_DEPTH) return problem(in, "it is nested too deeply");
    space(in);
    char first = in->at < in->end ? *in->at : 0;
    if (first == '{' || first == '[') {
        into->kind = first == '{' ? OBJECT : ARRAY;
        return members(in, into, first == '{' ? '}' : ']', depth);
    }
    if (first == '"') {
        into->kind = TEXT;
        return text(in, &into->text);
    }
    if (take(in, "true")) into->kind = TRUE;
    else if (take(in, "false")) into->kind = FALSE;
    else if (take(in, "null")) into->kind = NOTHING;
    else return number(in, into);
    return true;
}

const ts_json *ts_json_parse(ts_text document) {
    parser in = {document.data, document.data + document.length, NULL};
    ts_json *root = ts_alloc(sizeof *root);
    bool well = value(&in, root, 0);
    space(&in);
    if (well && in.at != in.end) well = problem(&in, "something follows the document");
    if (!well) ts_fail(false, "bad-json", NULL, in.problem);
    return well ? root : NULL;
}

const ts_json *ts_json_get(const ts_json *object, const char *key) {
    if (!object || object->kind != OBJECT) return NULL;
    for (const ts_json *member = object->first; member; member = member->next) {
        if (strcmp(member->key, key) == 0) return member;
    }
    return NULL;
}

size_t ts_json_count(const ts_json *array) {
    size_t count = 0;
    if (array && array->kind == ARRAY) {
        for (const ts_json *one = array->first; one; one = one->next) count++;
    }
    return count;
}

const ts_json *ts_json_at(const ts_json *array, size_t index) {
    const ts_json *one = array && array->kind == ARRAY ? array->first : NULL;
    while (one && index--) one = one->next;
    return one;
}

const char *ts_json_as_text(const ts_json *value, const char *otherwise) { return value && value->kind == TEXT ? value->text : otherwise; }

double ts_json_as_number(const ts_json *value, double otherwise) { return value && value->kind == NUMBER ? value->number : otherwise; }

const char *ts_json_text(const ts_json *object, const char *key, const char *otherwise) {
    return ts_json_as_text(ts_json_get(object, key), otherwise);
}

double ts_json_number(const ts_json *object, const char *key, double otherwise) {
    return ts_json_as_number(ts_json_get(object, key), otherwise);
}

bool ts_json_bool(const ts_json *object, const char *key, bool otherwise) {
    const ts_json *found = ts_json_get(object, key);
    return found && (found->kind == TRUE || found->kind == FALSE) ? found->kind == TRUE : otherwise;
}

const char *ts_quote(const char *plain) {
    char *quoted = ts_alloc(6 * strlen(plain) + 3), *to = quoted;
    *to++ = '"';
    for (; *plain; plain++) {
        unsigned char c = (unsigned char)*plain;
        if (c == '"' || c == '\\') *to++ = '\\';
        if (c < 0x20) to += sprintf(to, "\\u%04x", c);
        else *to++ = (char)c;
    }
    *to++ = '"';
    return quoted;
}
