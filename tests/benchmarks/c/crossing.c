/* W1: a moving-average crossing, bar by bar: rolling sums, fills at the next open, fees, and the whole equity curve. */

#include <stdint.h>
#include <stdlib.h>

struct outcome {
    double final_equity;
    double fees;
    int64_t fills;
    double *equity; /* one value per bar; the caller gives it back to `crossing_free` */
};

void crossing_free(double *equity) { free(equity); }

/* Needs slow < n and fast <= slow. The means are compared as fast_sum * slow > slow_sum * fast, which needs no division. */
int crossing(const double *open, const double *close, int64_t n, int64_t fast, int64_t slow, double cash, double fee,
             struct outcome *out) {
    double *equity = malloc((size_t)n * sizeof *equity);
    if (!equity)
        return -1;
    const double fast_bars = (double)fast, slow_bars = (double)slow;
    double fast_sum = 0.0, slow_sum = 0.0, held = 0.0, fees = 0.0;
    int64_t fills = 0;
    for (int64_t t = 0; t < slow; t++) {
        fast_sum += close[t] - (t >= fast ? close[t - fast] : 0.0);
        slow_sum += close[t];
        equity[t] = cash;
    }
    int decision = fast_sum * slow_bars > slow_sum * fast_bars;
    for (int64_t t = slow; t < n; t++) {
        if (decision != (held > 0.0)) {
            if (decision) {
                held = cash / (open[t] * (1.0 + fee));
                fees += held * open[t] * fee;
                cash = 0.0;
            } else {
                fees += held * open[t] * fee;
                cash = held * open[t] * (1.0 - fee);
                held = 0.0;
            }
            fills++;
        }
        equity[t] = cash + held * close[t];
        fast_sum += close[t] - close[t - fast];
        slow_sum += close[t] - close[t - slow];
        decision = fast_sum * slow_bars > slow_sum * fast_bars;
    }
    out->final_equity = equity[n - 1];
    out->fees = fees;
    out->fills = fills;
    out->equity = equity;
    return 0;
}
