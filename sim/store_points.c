/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the store as points of a plot. */
#include "sim/store_priv.h"

#include <stdlib.h>
#include <string.h>

enum sim_status sim_condition_parse(struct sim_condition *condition, const char *text,
                                    struct sim_error *error)
{
    const char *equals = strchr(text, '=');
    const size_t length = equals ? (size_t)(equals - text) : 0;

    if (!length || length >= sizeof(condition->column) ||
        strlen(equals + 1) >= sizeof(condition->value))
        return sim_fail(error, SIM_USAGE, "'%.64s': expected COLUMN=VALUE", text);
    memcpy(condition->column, text, length);
    condition->column[length] = '\0';
    snprintf(condition->value, sizeof(condition->value), "%s", equals + 1);
    return SIM_OK;
}

static enum sim_status check_column(struct sim_store *store, const char *name,
                                    struct sim_error *error)
{
    sqlite3_stmt *stmt;
    bool found;

    if (sqlite3_prepare_v2(store->db, "SELECT 1 FROM pragma_table_info('runs') WHERE name = ?", -1,
                           &stmt, NULL) != SQLITE_OK)
        return sim_store_fail(store, error);
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_TRANSIENT);
    found = sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return found ? SIM_OK
                 : sim_fail(error, SIM_USAGE,
                            "%s: there is no column '%s' (knobs, counters, cycles, cycles.CAUSE)",
                            store->path, name);
}

/* "SELECT `columns` FROM runs WHERE ... `tail`", ready to be stepped; NULL on failure. */
static sqlite3_stmt *select_where(struct sim_store *store, const char *columns,
                                  const struct sim_condition *conditions, size_t count,
                                  const char *tail)
{
    sqlite3_str *sql = sqlite3_str_new(store->db);
    sqlite3_stmt *stmt = NULL;
    char *text;

    sqlite3_str_appendf(sql, "SELECT %s FROM runs WHERE 1", columns);
    for (size_t i = 0; i < count; i++)
        sqlite3_str_appendf(sql, " AND CAST(\"%w\" AS TEXT) = %Q", conditions[i].column,
                            conditions[i].value);
    sqlite3_str_appendf(sql, " %s", tail);
    text = sqlite3_str_finish(sql);
    if (text)
        sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);
    sqlite3_free(text);
    return stmt;
}

struct difference {
    struct sim_store *store;
    const struct sim_condition *conditions; /* that both rows meet */
    size_t count;
    char names[256];
};

/* Adds the name of a knob in which the rows differ. */
static void add_difference(struct difference *d, const char *name)
{
    char columns[160];
    sqlite3_stmt *stmt;

    snprintf(columns, sizeof(columns), "count(DISTINCT \"%s\")", name);
    stmt = select_where(d->store, columns, d->conditions, d->count, "");
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) > 1) {
        const size_t used = strlen(d->names);

        snprintf(d->names + used, sizeof(d->names) - used, "%s%s", used ? ", " : "", name);
    }
    sqlite3_finalize(stmt);
}

static enum sim_status ambiguous(struct sim_store *store, const char *line, const char *x,
                                 const struct sim_point *point,
                                 const struct sim_condition *conditions, size_t count,
                                 struct sim_error *error)
{
    struct sim_condition *both = calloc(count + 2, sizeof(*both));
    struct difference d = {store, both, count + 2, ""};

    if (!both)
        return sim_fail(error, SIM_INTERNAL, "out of memory");
    for (size_t i = 0; i < count; i++)
        both[i] = conditions[i];
    snprintf(both[count].column, sizeof(both[count].column), "%s", line);
    snprintf(both[count].value, sizeof(both[count].value), "%s", point->line);
    snprintf(both[count + 1].column, sizeof(both[count + 1].column), "%s", x);
    snprintf(both[count + 1].value, sizeof(both[count + 1].value), "%s", point->x);
    for (int i = 0; i < SIM_STORE_KEYS - 1; i++)
        add_difference(&d, sim_store_keys[i]);
    add_difference(&d, "strategy");
    for (size_t i = 0; i < SIM_KNOB_COUNT; i++)
        add_difference(&d, sim_knobs[i].key);
    free(both);
    if (!d.names[0])
        snprintf(d.names, sizeof(d.names), "settings");
    return sim_fail(error, SIM_USAGE,
                    "%s: more than one run has %s=%s and %s=%s; they differ in %s: choose one with "
                    "--only COLUMN=VALUE",
                    store->path, line, point->line, x, point->x, d.names);
}

static enum sim_status fetch(struct sim_store *store, sqlite3_stmt *stmt, const char *y,
                             struct sim_point **points, size_t *count, struct sim_error *error)
{
    size_t room = 0;
    int code;

    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (*count == room) {
            struct sim_point *more = realloc(*points, (room += 64) * sizeof(**points));

            if (!more)
                return sim_fail(error, SIM_INTERNAL, "out of memory");
            *points = more;
        }
        struct sim_point *point = &(*points)[*count];

        if (sqlite3_column_type(stmt, 2) != SQLITE_INTEGER)
            return sim_fail(error, SIM_USAGE, "%s: %s is no number in every run", store->path, y);
        snprintf(point->line, sizeof(point->line), "%s",
                 (const char *)sqlite3_column_text(stmt, 0));
        snprintf(point->x, sizeof(point->x), "%s", (const char *)sqlite3_column_text(stmt, 1));
        point->y = sqlite3_column_int64(stmt, 2);
        (*count)++;
    }
    return code == SQLITE_DONE ? SIM_OK : sim_store_fail(store, error);
}

enum sim_status sim_store_points(struct sim_store *store, const char *line, const char *x,
                                 const char *y, const struct sim_condition *conditions,
                                 size_t count, struct sim_point **points, size_t *point_count,
                                 struct sim_error *error)
{
    const char *names[] = {line, x, y};
    enum sim_status status = SIM_OK;
    char columns[320];
    sqlite3_stmt *stmt;

    *points = NULL;
    *point_count = 0;
    for (size_t i = 0; i < 3 + count && status == SIM_OK; i++)
        status = check_column(store, i < 3 ? names[i] : conditions[i - 3].column, error);
    if (status != SIM_OK)
        return status;
    /* Names are columns of the table: none of them has a quote in it. */
    snprintf(columns, sizeof(columns), "\"%s\", \"%s\", \"%s\"", line, x, y);
    stmt = select_where(store, columns, conditions, count, "ORDER BY 1, 2, rowid");
    status =
        stmt ? fetch(store, stmt, y, points, point_count, error) : sim_store_fail(store, error);
    sqlite3_finalize(stmt);
    if (status == SIM_OK && *point_count == 0)
        status = sim_fail(error, SIM_USAGE, "%s: no run meets the conditions", store->path);
    for (size_t i = 1; i < *point_count && status == SIM_OK; i++)
        if (!strcmp((*points)[i].line, (*points)[i - 1].line) &&
            !strcmp((*points)[i].x, (*points)[i - 1].x))
            status = ambiguous(store, line, x, &(*points)[i], conditions, count, error);
    if (status != SIM_OK) {
        free(*points);
        *points = NULL;
        *point_count = 0;
    }
    return status;
}

static const struct sim_point *find_point(const struct sim_point *points, size_t count,
                                          const char *line, const char *x)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(points[i].line, line) && !strcmp(points[i].x, x))
            return &points[i];
    return NULL;
}

enum sim_status sim_points_over(struct sim_point *points, size_t *count, const char *base,
                                struct sim_error *error)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        const struct sim_point *below = find_point(points, *count, base, points[i].x);

        if (!below)
            return sim_fail(error, SIM_USAGE, "no run of %s at %s to take off", base, points[i].x);
        if (strcmp(points[i].line, base))
            points[i].y -= below->y;
    }
    for (size_t i = 0; i < *count; i++)
        if (strcmp(points[i].line, base))
            points[kept++] = points[i];
    *count = kept;
    return kept ? SIM_OK : sim_fail(error, SIM_USAGE, "no run but those of %s", base);
}
