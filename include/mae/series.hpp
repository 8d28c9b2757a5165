#pragma once

/// Time series as pictures (the CMake component series).

#include <mae/series/at_once.hpp>
#include <mae/series/backtest.hpp>
#include <mae/series/baselines.hpp>
#include <mae/series/cells.hpp>
#include <mae/series/column_attention.hpp>
#include <mae/series/column_decoder.hpp>
#include <mae/series/column_passes.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/csv_rows.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/painted_values.hpp>
#include <mae/series/period.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/quantile_model.hpp>
#include <mae/series/quantile_painter.hpp>
#include <mae/series/quantiles.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/repaint.hpp>
#include <mae/series/resample.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/time_axis.hpp>
#include <mae/series/time_stamp.hpp>
#include <mae/series/value_runs.hpp>
#include <mae/series/variable_parts.hpp>
#include <mae/series/window_mask.hpp>
#include <mae/series/windows.hpp>
