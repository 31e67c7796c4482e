"""The arithmetic of trading: types and kernels that live trading and backtests share. It knows no runtime."""
