// Counts the lines of standard input and those that contain a text: `line-stats [--pattern TEXT] [--fail KIND]`.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *option(int count, char **arguments, const char *name) {
    for (int at = 1; at + 1 < count; at++) {
        if (strcmp(arguments[at], name) == 0) return arguments[at + 1];
    }
    return "";
}

int main(int count, char **arguments) {
    const char *pattern = option(count, arguments, "--pattern"), *fail = option(count, arguments, "--fail");
    if (*fail) {
        fprintf(stderr, "failing as asked\n");
        return strcmp(fail, "retryable") == 0 ? 75 : 1;
    }

    unsigned long long lines = 0, bytes = 0, matches = 0;
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, stdin)) > 0;) {
        lines++;
        bytes += (unsigned long long)length;
        if (*pattern && strstr(line, pattern)) matches++;
    }
    free(line);
    if (bytes == 0) {
        fprintf(stderr, "the file is empty\n");
        return 10;
    }
    fprintf(stderr, "%llu lines, %llu with the pattern\n", lines, matches);
    printf("{\"lines\":%llu,\"bytes\":%llu,\"matches\":%llu}\n", lines, bytes, matches);
    return 0;
}
