/*
 * octet-cni: the program a container runtime executes. It has no logic: it hands its environment, its standard
 * input and an open descriptor of the pod's network namespace to the agent's Unix socket and prints the answer.
 *
 * What lives here: that, the answers while no agent is there, and the journal of DELs that could not be delivered.
 * What it must not know: anything about networks. The framing is described in wire.py; `python -m octet.cni`
 * (twin.py) does the same byte for byte, and one test suite runs both.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef CONNECT_MS /* these four are defined otherwise by tests only */
#define CONNECT_MS 5000
#endif
#ifndef ANSWER_MS
#define ANSWER_MS 60000
#endif
#ifndef INPUT_MS
#define INPUT_MS 5000
#endif
#ifndef DEFAULT_SOCKET
#define DEFAULT_SOCKET "/run/octet/cni.sock"
#endif
#define INPUT_LIMIT (1u << 20)
#define REPLY_LIMIT (1u << 20)
#define ENVIRONMENT_LIMIT 0xFFFFu
#define HEADER 12u
#define SUPPORTED "\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\""

enum { BAD_ENVIRONMENT = 4, IO_FAILURE, BAD_JSON, BAD_CONFIG, BAD_NETNS, TRY_AGAIN = 11, NOT_AVAILABLE = 50 };

extern char **environ;
static char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)] = DEFAULT_SOCKET;
static char cni_version[17] = "1.1.0";
static unsigned char input[INPUT_LIMIT + 1], message[HEADER + ENVIRONMENT_LIMIT + INPUT_LIMIT], reply[REPLY_LIMIT];

static int64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Write everything; false if the other side does not take it. */
static int write_all(int to, const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        ssize_t wrote = write(to, at, length);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return 0;
        at += wrote;
        length -= (size_t)wrote;
    }
    return 1;
}

/* Print the error object of the specification and end. What is not plain ASCII in the message becomes a \u escape or '?'. */
__attribute__((noreturn, format(printf, 2, 3))) static void fail(int code, const char *format, ...) {
    char text[1024], line[sizeof text * 6 + 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int at = snprintf(line, sizeof line, "{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"", cni_version, code);
    for (const unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == '"' || *c == '\\' || *c == 0x7F) at += sprintf(line + at, "\\u%04x", *c);
        else line[at++] = *c < 0x80 ? (char)*c : '?';
    }
    at += sprintf(line + at, "\"}\n");
    write_all(STDOUT_FILENO, line, (size_t)at);
    exit(1);
}

/* Wait until a descriptor can be read; false after the deadline (nanoseconds of the monotonic clock). */
static int wait_readable(int from, int64_t deadline) {
    struct pollfd wanted = {.fd = from, .events = POLLIN};
    for (;;) {
        int64_t left = (deadline - now(CLOCK_MONOTONIC)) / 1000000;
        int ready = left > 0 ? poll(&wanted, 1, (int)left) : 0;
        if (ready > 0) return 1;
        if (ready == 0 || errno != EINTR) return 0;
    }
}

/* Read until the end, a limit or a deadline; the bytes read, or -1. */
static ssize_t read_up_to(int from, unsigned char *into, size_t limit, int64_t deadline) {
    size_t have = 0;
    while (have < limit) {
        if (!wait_readable(from, deadline)) return -1;
        ssize_t got = read(from, into + have, limit - have);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* --- The two keys we need, out of the top level of a JSON object; the agent judges all the rest. --- */

static const unsigned char *skip_space(const unsigned char *at, const unsigned char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* From an opening quote to the closing one; NULL if there is none. */
static const unsigned char *string_end(const unsigned char *at, const unsigned char *end) {
    if (at >= end || *at != '"') return NULL;
    for (at++; at < end && *at >= 0x20; at++) {
        if (*at == '"') return at;
        if (*at == '\\') at++;
    }
    return NULL;
}

/* To the comma or bracket that ends a value; NULL if there is none. No recursion: depth costs nothing. */
static const unsigned char *value_end(const unsigned char *at, const unsigned char *end) {
    for (size_t depth = 0; at < end; at++) {
        if (*at == '"' && !(at = string_end(at, end))) return NULL;
        if (depth == 0 && (*at == ',' || *at == '}' || *at == ']')) return at;
        if (*at == '{' || *at == '[') depth++;
        if (*at == '}' || *at == ']') depth--;
    }
    return NULL;
}

/* Copy what is between two quotes; false if it is too long, empty or has escapes that no path or version needs. */
static int copy_string(char *to, size_t room, const unsigned char *from, const unsigned char *closing) {
    size_t length = 0;
    for (from++; from < closing; from++) {
        if (*from == '\\' && *++from != '/' && *from != '\\' && *from != '"') return 0;
        if (length + 1 >= room) return 0;
        to[length++] = (char)*from;
    }
    to[length] = '\0';
    return length > 0;
}

static void take_version(const unsigned char *from, const unsigned char *closing) {
    char text[sizeof cni_version];
    if (copy_string(text, sizeof text, from, closing) && strspn(text, "0123456789.") == strlen(text))
        memcpy(cni_version, text, sizeof text);
}

/* Take socket and cniVersion; 0, or the code that says what is wrong. */
static int scan(const unsigned char *at, const unsigned char *end) {
    int wrong = 0;
    at = skip_space(at, end);
    if (at >= end || *at != '{') return BAD_JSON;
    at = skip_space(at + 1, end);
    if (at < end && *at == '}') return skip_space(at + 1, end) == end ? 0 : BAD_JSON;
    for (;;) {
        const unsigned char *key = skip_space(at, end), *closing = string_end(key, end);
        if (!closing) return BAD_JSON;
        size_t length = (size_t)(closing - key - 1);
        at = skip_space(closing + 1, end);
        if (at >= end || *at != ':') return BAD_JSON;
        const unsigned char *value = skip_space(at + 1, end), *quote = string_end(value, end);
        if (length == 6 && !strncasecmp((const char *)key + 1, "socket", 6))
            wrong = quote && copy_string(socket_path, sizeof socket_path, value, quote) && *socket_path == '/' ? 0 : BAD_CONFIG;
        if (length == 10 && !strncasecmp((const char *)key + 1, "cniVersion", 10) && quote) take_version(value, quote);
        at = quote ? skip_space(quote + 1, end) : value_end(value, end);
        if (!at || at >= end) return BAD_JSON;
        if (*at == '}') return skip_space(at + 1, end) == end ? wrong : BAD_JSON;
        if (*at++ != ',') return BAD_JSON;
    }
}

/* --- The exchange with the agent. --- */

static void put32(unsigned char *to, uint32_t number) {
    for (int byte = 0; byte < 4; byte++) to[byte] = (unsigned char)(number >> (24 - 8 * byte));
}

/* Build the request in `message`; its length. */
static size_t build(size_t input_length) {
    size_t at = HEADER;
    for (char **entry = environ; *entry; entry++) {
        size_t length = strlen(*entry) + 1;
        if (strncmp(*entry, "CNI_", 4) != 0) continue;
        if (at - HEADER + length > ENVIRONMENT_LIMIT) fail(BAD_ENVIRONMENT, "the CNI_ variables have more than %u bytes", ENVIRONMENT_LIMIT);
        memcpy(message + at, *entry, length);
        at += length;
    }
    memcpy(message, "OCNI\1\0", 6);
    message[6] = (unsigned char)((at - HEADER) >> 8);
    message[7] = (unsigned char)(at - HEADER);
    put32(message + 8, (uint32_t)input_length);
    memcpy(message + at, input, input_length);
    return at + input_length;
}

/* Send the request, with the descriptor if there is one; false if the agent does not take it. */
static int send_request(int agent, size_t length, int namespace) {
    union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control = {0};
    struct iovec part = {message, length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    if (namespace >= 0) {
        message[5] = 1;
        packet.msg_control = &control;
        packet.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &namespace, sizeof namespace);
    }
    ssize_t sent = sendmsg(agent, &packet, MSG_NOSIGNAL);
    return sent > 0 && write_all(agent, message + sent, length - (size_t)sent);
}

/* Ask the agent; the length of its answer in `reply` and its status, or -1 and why. */
static ssize_t ask(size_t length, int namespace, int *status, const char **why) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {CONNECT_MS / 1000, CONNECT_MS % 1000 * 1000};
    unsigned char header[HEADER];
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *why = "the agent is not there";
    if (agent < 0 || setsockopt(agent, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit)) return -1;
    if (connect(agent, (struct sockaddr *)&address, sizeof address)) return -1;
    *why = "the agent did not answer";
    if (!send_request(agent, length, namespace)) return -1;
    int64_t deadline = now(CLOCK_MONOTONIC) + (int64_t)ANSWER_MS * 1000000;
    if (read_up_to(agent, header, HEADER, deadline) != (ssize_t)HEADER) return -1;
    uint32_t body = (uint32_t)header[8] << 24 | (uint32_t)header[9] << 16 | (uint32_t)header[10] << 8 | header[11];
    *status = header[5];
    *why = "what answered is no agent of this version";
    if (memcmp(header, "OCNR\1", 5) != 0 || header[6] || header[7] || body > REPLY_LIMIT) return -1;
    *why = "the agent did not finish its answer";
    return read_up_to(agent, reply, body, deadline) == (ssize_t)body ? (ssize_t)body : -1;
}

/* --- No agent. --- */

/* Leave a DEL where the agent finds it; false if that fails. Renamed into place whole, so a killed plugin leaves no half
 * file; not synced, because what it would free is gone as well after a crash of the machine. */
static int journal(size_t length) {
    char directory[sizeof socket_path + 16], hidden[sizeof directory + 64], shown[sizeof directory + 64];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(socket_path, '/') - socket_path), socket_path);
    mkdir(*directory ? directory : "/", 0700);
    strcat(directory, "/pending");
    if (mkdir(directory, 0700) && errno != EEXIST) return 0;
    int64_t time = now(CLOCK_REALTIME);
    snprintf(hidden, sizeof hidden, "%s/.%020lld-%d", directory, (long long)time, getpid());
    snprintf(shown, sizeof shown, "%s/%020lld-%d", directory, (long long)time, getpid());
    int file = open(hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return 0;
    message[5] = 0;
    int written = write_all(file, message, length);
    if (close(file) == 0 && written && rename(hidden, shown) == 0) return 1;
    unlink(hidden);
    return 0;
}

int main(void) {
    const char *command = getenv("CNI_COMMAND"), *netns = getenv("CNI_NETNS"), *why = "";
    signal(SIGPIPE, SIG_IGN);
    if (!command) fail(BAD_ENVIRONMENT, "CNI_COMMAND is missing: this program is run by container runtimes (see octet cni --help)");
    ssize_t length = read_up_to(STDIN_FILENO, input, sizeof input, now(CLOCK_MONOTONIC) + (int64_t)INPUT_MS * 1000000);
    int problem = length < 0 ? IO_FAILURE : length > (ssize_t)INPUT_LIMIT ? BAD_JSON : scan(input, input + length);
    if (!strcmp(command, "VERSION")) {
        char text[128];
        int size = snprintf(text, sizeof text, "{\"cniVersion\":\"%s\",\"supportedVersions\":[%s]}\n", cni_version, SUPPORTED);
        return !write_all(STDOUT_FILENO, text, (size_t)size);
    }
    if (problem == IO_FAILURE) fail(IO_FAILURE, "standard input did not end within %d ms", INPUT_MS);
    if (problem == BAD_JSON) fail(BAD_JSON, "standard input is not a JSON object of at most %u bytes", INPUT_LIMIT);
    if (problem == BAD_CONFIG) fail(BAD_CONFIG, "socket: must be an absolute path of at most %zu bytes", sizeof socket_path - 1);

    int deleting = !strcmp(command, "DEL"), needed = !strcmp(command, "ADD") || !strcmp(command, "CHECK");
    int namespace = (deleting || needed) && netns && *netns ? open(netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;
    if (needed && namespace < 0 && netns && *netns) fail(BAD_NETNS, "CNI_NETNS = %s: %s", netns, strerror(errno));
    size_t size = build((size_t)length);
    int status = 1;
    ssize_t body = ask(size, namespace, &status, &why);
    if (body >= 0) return write_all(STDOUT_FILENO, reply, (size_t)body) ? status : 1;
    if (!deleting) fail(strcmp(command, "STATUS") ? TRY_AGAIN : NOT_AVAILABLE, "%s: %s", socket_path, why);
    if (!journal(size)) fail(TRY_AGAIN, "%s: %s, and the DEL could not be kept for later", socket_path, why);
    return 0;
}
