/* SPDX-License-Identifier: MIT */
/*
 * Publish tokens.
 *
 * The tokens in force are a set: a list of cells of TOKEN_MOST bytes, each a token with zeros
 * behind it. A reload reads a whole new set first and then puts it in the place of the old one;
 * a file that cannot be read, or has a fault, changes nothing. A set is never empty: with no
 * token in it, "publishing needs the token" would turn into "nobody needs one" without a word.
 *
 *     text   "first-token-16-bytes\nsecond-token-..."
 *     cells  [first-token-16-bytes 0 0 0 ... ][second-token-... 0 0 0 ... ]
 *
 * Comparing: what was sent is put into a cell as well, and all bytes of it are compared with
 * all bytes of every cell. The time is the same whatever was sent and however much of it was
 * right.
 *
 * Threads: a read-write lock; checks hold it to read, a reload to write for the swap alone.
 * Token bytes are wiped before their memory is given back. Fault texts never hold a token.
 */
#include "server/tokens.h"

#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TOKEN_LEAST = 16,  /* shorter ones can be guessed */
    TOKEN_MOST = 512,  /* bounds what one check costs */
    TOKENS_MOST = 256, /* the same: all are compared */
    TOKEN_FILE_MOST = 1 << 20,
};

struct token_cell {
    char bytes[TOKEN_MOST];
};

struct token_set {
    struct token_cell *cells;
    size_t count;
};

struct crier_tokens {
    const struct crier_mem *mem;
    struct crier_buf file; /* its path with a NUL; empty: none */
    struct crier_buf text; /* the environment's */
    bool has_file, has_text;
    pthread_rwlock_t lock; /* of set */
    struct token_set set;
};

/* ---- sets ---------------------------------------------------------------------------- */

static void token_set_deinit(struct token_set *set, const struct crier_mem *mem)
{
    if (set->cells)
        explicit_bzero(set->cells, set->count * sizeof(*set->cells));
    set->cells = crier_mem_free(mem, set->cells);
    set->count = 0;
}

/* token is at most TOKEN_MOST bytes. */
static int
token_set_add(struct token_set *set, const struct crier_mem *mem, struct crier_slice token)
{
    struct token_set grown = {.count = set->count + 1};

    /* A fresh block each time, so that no old copy is left behind unwiped. A file has few. */
    grown.cells = crier_mem_zalloc(mem, grown.count * sizeof(*grown.cells));
    if (!grown.cells)
        return -ENOMEM;
    if (set->count > 0)
        memcpy(grown.cells, set->cells, set->count * sizeof(*grown.cells));
    memcpy(grown.cells[set->count].bytes, token.data, token.len);
    token_set_deinit(set, mem);
    *set = grown;
    return 0;
}

/* NULL, or what is wrong with it. */
static const char *token_fault(struct crier_slice token)
{
    if (token.len < TOKEN_LEAST)
        return "the token is shorter than 16 bytes; make one with: openssl rand -hex 32";
    if (token.len > TOKEN_MOST)
        return "the token is longer than 512 bytes";
    for (size_t i = 0; i < token.len; i++) {
        unsigned char c = (unsigned char)token.data[i];

        if (c <= 0x20 || c >= 0x7f)
            return "a token is printable ASCII without spaces; one token a line";
    }
    return NULL;
}

static int token_line(struct token_set *set,
                      const struct crier_mem *mem,
                      struct crier_slice line,
                      const char **ret_fault)
{
    if (crier_slice_ends(line, CRIER_SLICE("\r")))
        line.len--;
    line = crier_slice_trim(line);
    if (line.len == 0 || line.data[0] == '#')
        return 0;
    *ret_fault = token_fault(line);
    if (!*ret_fault && set->count == TOKENS_MOST)
        *ret_fault = "there are more than 256 tokens";
    if (*ret_fault)
        return -EINVAL;
    return token_set_add(set, mem, line);
}

/* Adds the tokens of a text, one a line. name is what the fault calls it. */
static int token_set_read(struct token_set *set,
                          const struct crier_mem *mem,
                          const char *name,
                          struct crier_slice text,
                          struct crier_buf *fault)
{
    size_t before = set->count, number = 0;
    const char *why = NULL;
    int r;

    if (crier_slice_starts(text, CRIER_SLICE("\xef\xbb\xbf"))) /* a byte order mark */
        text = crier_slice_sub(text, 3, text.len);
    while (text.data) {
        struct crier_slice line = crier_slice_cut(&text, '\n');

        number++;
        r = token_line(set, mem, line, &why);
        if (why)
            crier_buf_printf(fault, "%s: line %zu: %s", name, number, why);
        if (r < 0)
            return r;
    }
    if (set->count == before) {
        crier_buf_printf(fault,
                         "%s holds no token: put one in, of at least 16 bytes, or leave it out",
                         name);
        return -EINVAL;
    }
    return 0;
}

/* ---- the file ------------------------------------------------------------------------ */

static int token_read_all(int fd, struct crier_buf *buf)
{
    ssize_t n;

    while (buf->len <= TOKEN_FILE_MOST) {
        if (crier_buf_reserve(buf, 4096) < 0)
            return -ENOMEM;
        n = read(fd, buf->data + buf->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        buf->len += (size_t)n;
    }
    return -EFBIG;
}

/* A regular file only: another kind could block the server, or be empty when it is read again.
 */
static int token_open(const char *path, size_t *ret_size)
{
    struct stat stat;
    int fd, r = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &stat) < 0)
        r = -errno;
    else if (!S_ISREG(stat.st_mode))
        r = S_ISDIR(stat.st_mode) ? -EISDIR : -EINVAL;
    else if (stat.st_size > TOKEN_FILE_MOST)
        r = -EFBIG;
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_size = (size_t)stat.st_size;
    return fd;
}

static int token_load(const char *path, struct crier_buf *buf)
{
    size_t size = 0;
    int fd, r;

    fd = token_open(path, &size);
    if (fd < 0)
        return fd;
    /* All at once: a buffer that grows leaves copies behind. */
    r = crier_buf_reserve(buf, size + 8192);
    if (!r)
        r = token_read_all(fd, buf);
    close(fd);
    return r;
}

static int token_set_file(struct token_set *set,
                          const struct crier_mem *mem,
                          const char *path,
                          struct crier_buf *fault)
{
    struct crier_buf buf;
    int r;

    crier_buf_init(&buf, mem);
    r = token_load(path, &buf);
    if (r < 0)
        crier_buf_printf(fault, "the token file %s cannot be read: %s", path,
                         r == -EINVAL ? "it is not a regular file" : strerror(-r));
    else
        /* An empty file has no data pointer; it still has to be told. */
        r = token_set_read(set, mem, path, buf.len ? crier_buf_slice(&buf) : CRIER_SLICE(""),
                           fault);
    if (buf.data)
        explicit_bzero(buf.data, buf.cap);
    crier_buf_deinit(&buf);
    return r;
}

/* ---- the tokens of a server ---------------------------------------------------------- */

static int tokens_read(struct crier_tokens *tokens, struct crier_buf *fault)
{
    struct token_set set = {0}, old;
    int r = 0;

    if (tokens->has_file)
        r = token_set_file(&set, tokens->mem, tokens->file.data, fault);
    if (!r && tokens->has_text)
        r = token_set_read(&set, tokens->mem, "CRIER_PUBLISH_TOKEN",
                           tokens->text.len ? crier_buf_slice(&tokens->text) : CRIER_SLICE(""),
                           fault);
    if (r == -ENOMEM)
        crier_buf_printf(fault, "out of memory while reading the tokens");
    if (r < 0) {
        token_set_deinit(&set, tokens->mem);
        return r;
    }
    pthread_rwlock_wrlock(&tokens->lock);
    old = tokens->set;
    tokens->set = set;
    pthread_rwlock_unlock(&tokens->lock);
    token_set_deinit(&old, tokens->mem);
    return 0;
}

int crier_tokens_new(const struct crier_mem *mem,
                     const char *file,
                     const char *text,
                     struct crier_buf *fault,
                     struct crier_tokens **ret)
{
    struct crier_tokens *tokens = crier_mem_zalloc(mem, sizeof(*tokens));
    int r = 0;

    if (!tokens || pthread_rwlock_init(&tokens->lock, NULL) != 0) {
        crier_mem_free(mem, tokens);
        return -ENOMEM;
    }
    tokens->mem = mem;
    tokens->has_file = file != NULL;
    tokens->has_text = text != NULL;
    crier_buf_init(&tokens->file, mem);
    crier_buf_init(&tokens->text, mem);
    if (file)
        crier_buf_add(&tokens->file, file, strlen(file) + 1);
    crier_buf_append(&tokens->text, crier_slice_of(text));
    if (crier_buf_error(&tokens->file) || crier_buf_error(&tokens->text))
        r = -ENOMEM;
    if (!r)
        r = tokens_read(tokens, fault);
    if (r < 0) {
        crier_tokens_free(tokens);
        return r;
    }
    *ret = tokens;
    return 0;
}

struct crier_tokens *crier_tokens_free(struct crier_tokens *tokens)
{
    if (!tokens)
        return NULL;
    token_set_deinit(&tokens->set, tokens->mem);
    if (tokens->text.data)
        explicit_bzero(tokens->text.data, tokens->text.cap);
    crier_buf_deinit(&tokens->text);
    crier_buf_deinit(&tokens->file);
    pthread_rwlock_destroy(&tokens->lock);
    return crier_mem_free(tokens->mem, tokens);
}

int crier_tokens_reload(struct crier_tokens *tokens, struct crier_buf *fault)
{
    return tokens_read(tokens, fault);
}

bool crier_tokens_configured(const struct crier_tokens *tokens)
{
    return tokens->has_file || tokens->has_text;
}

/* Every byte of both, whatever is found: no branch and no early end. */
static unsigned token_cell_difference(const struct token_cell *a, const struct token_cell *b)
{
    unsigned difference = 0;

    for (size_t i = 0; i < TOKEN_MOST; i++)
        difference |= (unsigned char)a->bytes[i] ^ (unsigned char)b->bytes[i];
    return difference;
}

bool crier_tokens_check(const struct crier_tokens *tokens, struct crier_slice token)
{
    /* Locking is not a change of the tokens that a caller could see. */
    pthread_rwlock_t *lock = (pthread_rwlock_t *)&tokens->lock;
    struct token_cell sent = {0};
    unsigned found = 0;

    /* No token has a NUL in it, so the zeros behind one cannot be taken for a part of it. */
    if (token.len < TOKEN_LEAST || token.len > TOKEN_MOST ||
        crier_slice_find(token, '\0') != token.len)
        return false;
    memcpy(sent.bytes, token.data, token.len);
    pthread_rwlock_rdlock(lock);
    for (size_t i = 0; i < tokens->set.count; i++)
        found |= token_cell_difference(&sent, &tokens->set.cells[i]) == 0;
    pthread_rwlock_unlock(lock);
    explicit_bzero(&sent, sizeof(sent));
    return found;
}
