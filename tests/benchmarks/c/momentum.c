/* W3: weekly momentum rank over many symbols: every rebalance sorts, sells, buys; every close marks the account. */

#include <stdint.h>
#include <stdlib.h>

struct outcome {
    double final_equity;
    double fees;
    int64_t fills;
};

struct ranked {
    double momentum;
    int64_t symbol;
};

static int strongest_first(const void *left, const void *right) {
    const struct ranked *a = left, *b = right;
    if (a->momentum != b->momentum)
        return a->momentum > b->momentum ? -1 : 1;
    return a->symbol < b->symbol ? -1 : 1;
}

/* open and close hold one row of `days` values per symbol; equity has room for `days` values. */
int momentum(const double *open, const double *close, int64_t symbols, int64_t days, int64_t lookback, int64_t every,
             int64_t top, double invest, double cash, double fee, double *equity, struct outcome *out) {
    double *held = calloc((size_t)symbols, sizeof *held), *wanted = malloc((size_t)symbols * sizeof *wanted);
    struct ranked *rank = malloc((size_t)symbols * sizeof *rank);
    int decided = 0, failed = !held || !wanted || !rank;
    double fees = 0.0;
    int64_t fills = 0;
    for (int64_t t = 0; t < days && !failed; t++) {
        if (decided) {
            double value = cash;
            for (int64_t s = 0; s < symbols; s++) {
                value += held[s] * open[s * days + t];
                wanted[s] = 0.0;
            }
            for (int64_t i = 0; i < top; i++)
                wanted[rank[i].symbol] = invest / (double)top * value / open[rank[i].symbol * days + t];
            for (int buying = 0; buying < 2; buying++)
                for (int64_t s = 0; s < symbols; s++) {
                    double quantity = wanted[s] - held[s];
                    if (quantity == 0.0 || (quantity > 0.0) != buying)
                        continue;
                    double notional = quantity * open[s * days + t];
                    double cost = (notional < 0.0 ? -notional : notional) * fee;
                    cash -= notional + cost;
                    fees += cost;
                    held[s] = wanted[s];
                    fills++;
                }
        }
        double value = cash;
        for (int64_t s = 0; s < symbols; s++)
            value += held[s] * close[s * days + t];
        equity[t] = value;
        decided = t >= lookback && t % every == every - 1;
        if (decided) {
            for (int64_t s = 0; s < symbols; s++)
                rank[s] = (struct ranked){close[s * days + t] / close[s * days + t - lookback], s};
            qsort(rank, (size_t)symbols, sizeof *rank, strongest_first);
        }
    }
    out->final_equity = failed ? 0.0 : equity[days - 1];
    out->fees = fees;
    out->fills = fills;
    free(held);
    free(wanted);
    free(rank);
    return failed ? -1 : 0;
}
