/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target on every file of the folders given, in the order of their names. */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes;
    long size;
    bool ok;

    if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0) {
        perror(path);
        if (file)
            fclose(file);
        return false;
    }
    rewind(file);
    /* Exactly the size of the file, so that the sanitizer sees every byte too far. */
    bytes = malloc(size > 0 ? (size_t)size : 1);
    ok = bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size;
    if (ok) {
        /* Before it runs: the last name printed is the one that failed. */
        printf("%s\n", path);
        fflush(stdout);
        LLVMFuzzerTestOneInput(bytes, (size_t)size);
    } else {
        perror(path);
    }
    free(bytes);
    fclose(file);
    return ok;
}

/* How many files were replayed; negative if something could not be read. */
static int replay_folder(const char *folder)
{
    struct dirent **entries;
    int found = scandir(folder, &entries, NULL, alphasort);
    int done = 0;

    if (found < 0) {
        perror(folder);
        return -1;
    }
    for (int i = 0; i < found; i++) {
        char path[4096];
        int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);

        if (entries[i]->d_name[0] != '.' && done >= 0) {
            bool fits = len > 0 && (size_t)len < sizeof(path);

            done = fits && replay_file(path) ? done + 1 : -1;
        }
        free(entries[i]);
    }
    free(entries);
    return done;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int done = replay_folder(argv[i]);

        if (done < 0)
            return 1;
        total += done;
    }
    printf("%d files\n", total);
    return total > 0 ? 0 : 1;
}
