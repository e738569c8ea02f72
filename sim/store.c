/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/store_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "fltr": tells a file of ours from any other database (PRAGMA application_id). */
enum { APPLICATION_ID = 0x666c7472, BUSY_MS = 10000, SETTINGS_MAX = 8192 };

enum sim_status sim_store_fail(const struct sim_store *store, struct sim_error *error)
{
    const int code = sqlite3_errcode(store->db);

    return sim_fail(error,
                    code == SQLITE_NOMEM || code == SQLITE_FULL || code == SQLITE_IOERR
                        ? SIM_INTERNAL
                        : SIM_BAD_INPUT,
                    "%s: %s", store->path, sqlite3_errmsg(store->db));
}

static enum sim_status execute(struct sim_store *store, const char *sql, struct sim_error *error)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? SIM_OK
               : sim_store_fail(store, error);
}

/* ---- columns ---- */

const char *const sim_store_keys[SIM_STORE_KEYS] = {"trace", "digest", "model", "settings"};

struct text {
    sqlite3_str *sql;
    unsigned int columns;
};

static void declare_column(void *arg, const char *name, const char *text, uint64_t value)
{
    struct text *t = arg;

    (void)value;
    /* Knobs are texts; NUMERIC makes numbers of those that are some. */
    sqlite3_str_appendf(t->sql, ", \"%w\" %s", name, text ? "NUMERIC" : "INTEGER");
}

static void mark_column(void *arg, const char *name, const char *text, uint64_t value)
{
    struct text *t = arg;

    (void)name, (void)text, (void)value;
    t->columns++;
    sqlite3_str_appendall(t->sql, ", ?");
}

/* Calls `column` for what every row has, with values of no meaning. */
static void each_name(sim_column_fn *column, void *arg)
{
    static const struct sim_result none;
    struct sim_result any = none;

    any.strategy = sim_strategy_at(0);
    sim_config_init(&any.config);
    sim_out_columns(&any, column, arg);
}

static enum sim_status make_table(struct sim_store *store, struct sim_error *error)
{
    struct text t = {sqlite3_str_new(store->db), 0};
    enum sim_status status;
    char *sql;

    sqlite3_str_appendf(t.sql,
                        "BEGIN IMMEDIATE; PRAGMA application_id = %d;"
                        "CREATE TABLE IF NOT EXISTS runs (trace TEXT, digest TEXT, model TEXT, "
                        "settings TEXT",
                        APPLICATION_ID);
    each_name(declare_column, &t);
    sqlite3_str_appendall(t.sql, ", PRIMARY KEY (digest, model, strategy, settings)); COMMIT;");
    sql = sqlite3_str_finish(t.sql);
    status = sql ? execute(store, sql, error) : sim_fail(error, SIM_INTERNAL, "out of memory");
    sqlite3_free(sql);
    return status;
}

/* Compares the table's columns, in order, with those that rows have. */
struct comparison {
    sqlite3_stmt *table;
    unsigned int index;
    char missing[96];
};

static void compare_column(void *arg, const char *name, const char *text, uint64_t value)
{
    struct comparison *c = arg;

    (void)text, (void)value;
    if (c->missing[0])
        return;
    if (sqlite3_step(c->table) != SQLITE_ROW ||
        strcmp((const char *)sqlite3_column_text(c->table, 0), name))
        snprintf(c->missing, sizeof(c->missing), "%s", name);
}

static enum sim_status check_table(struct sim_store *store, struct sim_error *error)
{
    struct comparison c = {0};
    bool more;

    if (sqlite3_prepare_v2(store->db, "SELECT name FROM pragma_table_info('runs')", -1, &c.table,
                           NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    for (int i = 0; i < SIM_STORE_KEYS; i++)
        compare_column(&c, sim_store_keys[i], NULL, 0);
    each_name(compare_column, &c);
    more = !c.missing[0] && sqlite3_step(c.table) == SQLITE_ROW;
    sqlite3_finalize(c.table);
    if (c.missing[0])
        return sim_fail(error, SIM_BAD_INPUT,
                        "%s: results of another version of faultline: column %s expected, which "
                        "is not there; write to another file",
                        store->path, c.missing);
    if (more)
        return sim_fail(error, SIM_BAD_INPUT,
                        "%s: results of another version of faultline: it has columns that this "
                        "one does not know; write to another file",
                        store->path);
    return SIM_OK;
}

/* 0 for a file that nobody has written to yet. */
static enum sim_status application_id(struct sim_store *store, int *id, bool *empty,
                                      struct sim_error *error)
{
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(store->db,
                           "SELECT application_id, (SELECT count(*) FROM sqlite_master) "
                           "FROM pragma_application_id",
                           -1, &stmt, NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    if (sqlite3_step(stmt) != SQLITE_ROW) {
        sqlite3_finalize(stmt);
        return sim_store_fail(store, error);
    }
    *id = sqlite3_column_int(stmt, 0);
    *empty = sqlite3_column_int(stmt, 1) == 0;
    sqlite3_finalize(stmt);
    return SIM_OK;
}

static enum sim_status prepare(struct sim_store *store, bool create, struct sim_error *error)
{
    struct text t;
    bool empty = false;
    int id = 0;
    enum sim_status status = application_id(store, &id, &empty, error);

    if (status == SIM_OK && id != APPLICATION_ID && !(create && empty && id == 0))
        return sim_fail(error, SIM_BAD_INPUT, "%s: a database, but not one of faultline's results",
                        store->path);
    if (status == SIM_OK && create)
        status = make_table(store, error);
    if (status == SIM_OK)
        status = check_table(store, error);
    if (status != SIM_OK)
        return status;
    t = (struct text){sqlite3_str_new(store->db), 0};
    sqlite3_str_appendall(t.sql, "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?");
    each_name(mark_column, &t);
    sqlite3_str_appendall(t.sql, ")");
    store->insert = sqlite3_str_finish(t.sql);
    return store->insert ? SIM_OK : sim_fail(error, SIM_INTERNAL, "out of memory");
}

enum sim_status sim_store_open(struct sim_store **out, const char *path, bool create,
                               struct sim_error *error)
{
    struct sim_store *store = calloc(1, sizeof(*store));
    const int flags = create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    enum sim_status status = SIM_OK;

    *out = NULL;
    if (!store)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    snprintf(store->path, sizeof(store->path), "%s", path ? path : "results");
    if (sqlite3_open_v2(path ? path : ":memory:", &store->db, flags, NULL) != SQLITE_OK)
        status = sim_store_fail(store, error);
    if (status == SIM_OK) {
        sqlite3_busy_timeout(store->db, BUSY_MS);
        status = prepare(store, create, error);
    }
    if (status == SIM_OK)
        *out = store;
    else
        sim_store_close(store);
    return status;
}

void sim_store_close(struct sim_store *store)
{
    if (!store)
        return;
    sqlite3_free(store->insert);
    sqlite3_close(store->db);
    free(store);
}

/* ---- rows ---- */

/* Settings that differ from their defaults, in the order of knobs, with a space between. */
static void settings_of(const struct sim_config *config, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++) {
        char value[64];

        if (config->value[i] == sim_knobs[i].initial)
            continue;
        sim_config_format(config, (enum sim_knob)i, value, sizeof(value));
        used += (size_t)snprintf(text + used, size - used, "%s%s=%s", used ? " " : "",
                                 sim_knobs[i].key, value);
    }
}

/* Binds digest, model, settings and strategy from parameter `first` on. */
static void bind_run(sqlite3_stmt *stmt, int first, const struct sim_subject *subject,
                     const struct sim_run *run)
{
    char text[SETTINGS_MAX];

    snprintf(text, sizeof(text), "%016" PRIx64, subject->digest);
    sqlite3_bind_text(stmt, first, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(stmt, first + 1, subject->model, -1, SQLITE_TRANSIENT);
    settings_of(&run->config, text, sizeof(text));
    sqlite3_bind_text(stmt, first + 2, text, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(stmt, first + 3, sim_strategy_name(run->strategy), -1, SQLITE_TRANSIENT);
}

#define OF_RUN "FROM runs WHERE digest = ? AND model = ? AND settings = ? AND strategy = ?"

enum sim_status sim_store_has(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, bool *has, struct sim_error *error)
{
    sqlite3_stmt *stmt;
    int code;

    if (sqlite3_prepare_v2(store->db, "SELECT 1 " OF_RUN, -1, &stmt, NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    bind_run(stmt, 1, subject, run);
    code = sqlite3_step(stmt);
    *has = code == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SIM_OK : sim_store_fail(store, error);
}

struct binding {
    sqlite3_stmt *stmt;
    int index;
};

static void bind_column(void *arg, const char *name, const char *text, uint64_t value)
{
    struct binding *b = arg;

    (void)name;
    if (text)
        sqlite3_bind_text(b->stmt, b->index++, text, -1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_int64(b->stmt, b->index++, (sqlite3_int64)value);
}

enum sim_status sim_store_put(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, const struct sim_result *result,
                              struct sim_error *error)
{
    struct binding b = {NULL, SIM_STORE_KEYS + 1};
    int code;

    if (sqlite3_prepare_v2(store->db, store->insert, -1, &b.stmt, NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    sqlite3_bind_text(b.stmt, 1, subject->trace, -1, SQLITE_TRANSIENT);
    bind_run(b.stmt, 2, subject, run); /* the strategy is bound again, by its column */
    sim_out_columns(result, bind_column, &b);
    code = sqlite3_step(b.stmt);
    sqlite3_finalize(b.stmt);
    return code == SQLITE_DONE ? SIM_OK : sim_store_fail(store, error);
}

enum sim_status sim_store_get(struct sim_store *store, const struct sim_subject *subject,
                              const struct sim_run *run, sim_column_fn *column, void *arg,
                              bool *found, struct sim_error *error)
{
    sqlite3_stmt *stmt;
    int code;

    if (sqlite3_prepare_v2(store->db, "SELECT * " OF_RUN, -1, &stmt, NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    bind_run(stmt, 1, subject, run);
    code = sqlite3_step(stmt);
    *found = code == SQLITE_ROW;
    for (int i = 0; *found && i < sqlite3_column_count(stmt); i++) {
        const bool number = sqlite3_column_type(stmt, i) == SQLITE_INTEGER;
        const uint64_t value = (uint64_t)sqlite3_column_int64(stmt, i);

        column(arg, sqlite3_column_name(stmt, i),
               number ? NULL : (const char *)sqlite3_column_text(stmt, i), value);
    }
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SIM_OK : sim_store_fail(store, error);
}
