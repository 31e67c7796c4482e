/* W2: the same for many pairs of windows, simulated only where the signal flips.
 *
 * Every line is computed once and shared by all the pairs it is in. Flips are found 64 bars at a time: a word of
 * signal bits, and the same word shifted by one, differ where the signal changes. */

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct sweep {
    const double *open, *close, *lines; /* lines: n_lines columns of n values */
    const int64_t *windows, *fast, *slow; /* fast and slow: the column of each pair's lines */
    int64_t n, n_lines, n_pairs, bars_per_day, workers;
    double cash, fee;
    double *final_equity, *sharpe, *drawdown;
    int64_t *fills;
};

struct share {
    struct sweep *all;
    int64_t number;
    double *columns;
};

static void write_line(const double *close, int64_t n, int64_t window, double *line) {
    double sum = 0.0;
    for (int64_t t = 0; t < n; t++) {
        sum += close[t] - (t >= window ? close[t - window] : 0.0);
        line[t] = t + 1 >= window ? sum / (double)window : NAN;
    }
}

static uint64_t above(const double *fast, const double *slow, int64_t count) {
    uint64_t bits = 0;
    if (count == 64)
        for (int64_t i = 0; i < 64; i++)
            bits |= (uint64_t)(fast[i] > slow[i]) << i;
    else
        for (int64_t i = 0; i < count; i++)
            bits |= (uint64_t)(fast[i] > slow[i]) << i;
    return bits;
}

/* Daily closes: equity is marked at the last bar of each day while the signal stands. */
struct days {
    int64_t next; /* bar at whose close the next day ends */
    double last, sum, squares, peak, drawdown;
    int64_t count;
};

static void mark(struct days *days, const struct sweep *s, int64_t until, double cash, double held) {
    for (; days->next < until; days->next += s->bars_per_day) {
        double value = cash + held * s->close[days->next];
        double change = value / days->last - 1.0;
        days->sum += change;
        days->squares += change * change;
        days->last = value;
        days->peak = value > days->peak ? value : days->peak;
        days->drawdown = fmax(days->drawdown, 1.0 - value / days->peak);
        days->count++;
    }
}

static void simulate(const struct sweep *s, int64_t pair) {
    const double *fast = s->lines + s->fast[pair] * s->n, *slow = s->lines + s->slow[pair] * s->n;
    double cash = s->cash, held = 0.0;
    int64_t fills = 0;
    uint64_t before = 0;
    struct days days = {s->bars_per_day - 1, s->cash, 0.0, 0.0, s->cash, 0.0, 0};
    for (int64_t start = 0; start < s->n - 1; start += 64) {
        int64_t count = s->n - 1 - start < 64 ? s->n - 1 - start : 64;
        uint64_t bits = above(fast + start, slow + start, count);
        uint64_t flips = bits ^ (bits << 1 | before);
        if (count < 64)
            flips &= ((uint64_t)1 << count) - 1;
        before = bits >> 63;
        while (flips) {
            int64_t t = start + __builtin_ctzll(flips) + 1;
            flips &= flips - 1;
            mark(&days, s, t, cash, held);
            if (held == 0.0) {
                held = cash / (s->open[t] * (1.0 + s->fee));
                cash = 0.0;
            } else {
                cash = held * s->open[t] * (1.0 - s->fee);
                held = 0.0;
            }
            fills++;
        }
    }
    mark(&days, s, s->n, cash, held);
    double mean = days.sum / (double)days.count;
    double variance = (days.squares - days.sum * mean) / (double)(days.count - 1);
    s->final_equity[pair] = cash + held * s->close[s->n - 1];
    s->sharpe[pair] = mean / sqrt(variance);
    s->drawdown[pair] = days.drawdown;
    s->fills[pair] = fills;
}

static void *lines_of(void *argument) {
    struct share *mine = argument;
    struct sweep *s = mine->all;
    for (int64_t line = mine->number; line < s->n_lines; line += s->workers)
        write_line(s->close, s->n, s->windows[line], mine->columns + line * s->n);
    return NULL;
}

static void *pairs_of(void *argument) {
    struct share *mine = argument;
    struct sweep *s = mine->all;
    for (int64_t pair = mine->number; pair < s->n_pairs; pair += s->workers)
        simulate(s, pair);
    return NULL;
}

static int everywhere(struct sweep *s, double *columns, void *(*work)(void *)) {
    pthread_t threads[64];
    struct share shares[64];
    int failed = 0;
    int64_t started = 0;
    for (; started < s->workers && !failed; started++) {
        shares[started] = (struct share){s, started, columns};
        failed = pthread_create(&threads[started], NULL, work, &shares[started]);
    }
    for (int64_t i = 0; i < started - (failed != 0); i++)
        pthread_join(threads[i], NULL);
    return failed;
}

int crossing_sweep(struct sweep *s) {
    double *columns = malloc((size_t)(s->n * s->n_lines) * sizeof *columns);
    if (!columns || s->workers < 1 || s->workers > 64) {
        free(columns);
        return -1;
    }
    s->lines = columns;
    int failed = everywhere(s, columns, lines_of) || everywhere(s, columns, pairs_of);
    free(columns);
    return failed ? -1 : 0;
}
