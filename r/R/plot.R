#' Pictures of a run
#'
#' @param x A run.
#' @param type `"means"`: each scenario's mean and interval; `"running"`: the mean as replications are added, in the
#'   first scenario; `"distribution"`: the values of each scenario.
#' @param metric Which; the first where none is named.
#' @param confidence Of the intervals.
#' @param ... Further arguments to the plot, such as `main`.
#' @return The numbers drawn, as a data frame, invisibly.
#' @examplesIf nzchar(Sys.getenv("REPLICAST_PROGRAM")) || nzchar(Sys.which("replicast"))
#' die <- function(sides = 6L) list(value = sample.int(sides, 1L), rolls = data.frame(roll = 1:2))
#' run <- rc_run(die, n = 20, seed = 42, store = tempfile())
#' plot(run)
#' plot(run, "running", metric = "value")
#' @export
plot.replicast_run <- function(x, type = c("means", "running", "distribution"), metric = NULL, confidence = 0.95, ...) {
  type <- match.arg(type)
  metrics <- as.data.frame(rc_metrics(x))
  known <- setdiff(names(metrics), c("scenario", "replication"))
  if (!length(known)) stop("run ", x$id, " has no metric to draw; see rc_failures() and rc_tables()", call. = FALSE)
  metric <- if (is.null(metric)) known[[1L]] else match.arg(metric, known)
  switch(type,
    means = plot_means(x, metric, confidence, ...),
    running = plot_running(metrics, metric, confidence, ...),
    distribution = plot_distribution(metrics, metric, ...)
  )
}

plot_means <- function(x, metric, confidence, ...) {
  found <- as.data.frame(rc_summary(x, confidence))
  found <- found[found$metric == metric, c("scenario", "mean", "ci_lower", "ci_upper")]
  places <- seq_len(nrow(found))
  limits <- range(found[-1L], na.rm = TRUE, finite = TRUE)
  draw(list(x = places, y = found$mean, ylim = limits, xlim = range(places) + c(-0.5, 0.5), xaxt = "n", pch = 19,
            xlab = "", ylab = metric), ...)
  graphics::axis(1L, places, found$scenario)
  has <- !is.na(found$ci_lower) & found$ci_lower < found$ci_upper
  if (any(has)) {
    graphics::arrows(places[has], found$ci_lower[has], places[has], found$ci_upper[has], angle = 90, code = 3,
                     length = 0.05)
  }
  invisible(found)
}

plot_running <- function(metrics, metric, confidence, ...) {
  one <- metrics[metrics$scenario == metrics$scenario[[1L]], ]
  values <- as.double(one[[metric]])
  values <- values[is.finite(values)]
  n <- seq_along(values)
  mean <- cumsum(values) / n
  squares <- vapply(n, function(count) if (count > 1L) stats::var(values[seq_len(count)]) else NA_real_, 0)
  half <- suppressWarnings(stats::qt((1 + confidence) / 2, n - 1)) * sqrt(squares / n)
  found <- data.frame(n = n, mean = mean, ci_lower = mean - half, ci_upper = mean + half)
  draw(list(x = n, y = mean, type = "l", ylim = range(found[-1L][n >= min(5L, length(n)), ], na.rm = TRUE),
            xlab = "replications", ylab = paste("mean of", metric)), ...)
  graphics::lines(n, found$ci_lower, lty = 2)
  graphics::lines(n, found$ci_upper, lty = 2)
  invisible(found)
}

plot_distribution <- function(metrics, metric, ...) {
  names <- factor(metrics$scenario, unique(metrics$scenario))
  graphics::boxplot(as.double(metrics[[metric]]) ~ names, xlab = "", ylab = metric, ...)
  invisible(metrics[c("scenario", "replication", metric)])
}

draw <- function(usual, ...) do.call(graphics::plot, utils::modifyList(usual, list(...)))
