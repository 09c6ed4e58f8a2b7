#' Install the command line program that does the work
#'
#' Makes a virtual environment of Python of its own and installs replicast into it. Nothing else of the system changes.
#'
#' @param package What pip is to install: the folder of replicast's repository or a wheel, with extras if wanted
#'   (`"/path/of/replicast[aws,sql]"`). There is no default, as replicast is in no registry of Python's.
#' @param python Path of a Python of 3.11 or newer. By default the newest one that is found.
#' @param path Folder of the virtual environment.
#' @param options Further arguments to pip, such as `c("--index-url", url)`.
#' @return The path of the program, invisibly.
#' @examples
#' \dontrun{
#' replicast_install("~/replicast")
#' }
#' @export
replicast_install <- function(package, python = NULL, path = environment_folder(), options = character()) {
  refuse_windows()
  if (missing(package)) stop("name the folder of replicast's repository, or a wheel: ", HOW_TO_INSTALL, call. = FALSE)
  package <- path.expand(package)
  python <- if (is.null(python)) find_python() else checked_python(python)
  message("Installing ", package, " for ", python, " into ", path)
  made <- run_outside(python, c("-m", "venv", "--clear", path), stderr_to_stdout = TRUE)
  if (made$status != 0) {
    stop("the virtual environment could not be made: Python's module venv may be missing (Debian: apt install ",
         "python3-venv)\n", made$stdout, call. = FALSE)
  }
  pip <- c("-m", "pip", "install", "--quiet", "--disable-pip-version-check", options, package)
  own_python <- file.path(path, "bin", "python")
  done <- run_outside(own_python, pip, stderr_to_stdout = TRUE)
  if (done$status != 0) {
    unlink(path, recursive = TRUE)
    stop("pip could not install ", package, ":\n", done$stdout, call. = FALSE)
  }
  program <- file.path(path, "bin", "replicast")
  message("replicast ", program_version(program), " is installed")
  invisible(program)
}

HOW_TO_INSTALL <- 'replicast_install("/path/of/replicast")'

WINDOWS <- paste(
  "replicast does not run on Windows itself. Install WSL (in PowerShell: wsl --install), then R and replicast in it;",
  "see docs/how-to/windows.md"
)

platform_type <- function() .Platform$OS.type

refuse_windows <- function(type = platform_type()) if (type == "windows") stop(WINDOWS, call. = FALSE)

environment_folder <- function() file.path(tools::R_user_dir("replicast", "data"), "venv")

PYTHONS <- c("python3.14", "python3.13", "python3.12", "python3.11", "python3", "python")
LEAST_PYTHON <- "3.11"

find_python <- function(candidates = Sys.which(PYTHONS)) {
  found <- unname(candidates[nzchar(candidates)])
  versions <- vapply(found, python_version, "")
  good <- found[vapply(versions, is_new_enough, NA)]
  if (length(good)) return(good[[1L]])
  seen <- if (length(found)) paste0("found only ", paste0(found, " (", versions, ")", collapse = ", ")) else "found none"
  stop("replicast needs Python ", LEAST_PYTHON, " or newer and ", seen,
       "; install one (Debian: apt install python3 python3-venv; macOS: brew install python)", call. = FALSE)
}

checked_python <- function(python) {
  version <- python_version(python)
  if (!is_new_enough(version)) {
    stop("'", python, "' is no Python of ", LEAST_PYTHON, " or newer (", version, ")", call. = FALSE)
  }
  python
}

# A Python that lacks what pip needs is of no use, however new it is.
python_version <- function(python) {
  code <- "import sys, ssl, venv, ensurepip; print('.'.join(map(str, sys.version_info[:3])))"
  answer <- tryCatch(
    run_outside(python, c("-c", code), timeout = 30),
    error = function(error) list(status = 1L)
  )
  if (answer$status == 0L) trimws(answer$stdout) else "does not run, or lacks the modules ssl, venv or ensurepip"
}

is_new_enough <- function(version) {
  parsed <- numeric_version(version, strict = FALSE)
  !is.na(parsed) && parsed >= LEAST_PYTHON
}

#' Where the command line program is
#'
#' @return The path of the program: the option `replicast.program`, the environment variable `REPLICAST_PROGRAM`, what
#'   [replicast_install()] installed, or what is found on the path, in this order.
#' @rdname replicast_install
#' @export
replicast_program <- function() {
  refuse_windows()
  named <- c(getOption("replicast.program", ""), Sys.getenv("REPLICAST_PROGRAM"))
  named <- named[nzchar(named)]
  if (length(named)) {
    if (!file.exists(named[[1L]])) stop("there is no program '", named[[1L]], "'", call. = FALSE)
    return(named[[1L]])
  }
  own <- file.path(environment_folder(), "bin", "replicast")
  if (file.exists(own)) return(own)
  on_path <- unname(Sys.which("replicast"))
  if (nzchar(on_path)) return(on_path)
  stop("the program replicast is not installed; install it with: ", HOW_TO_INSTALL, call. = FALSE)
}

program_version <- function(program) {
  sub("^replicast ", "", trimws(run_outside(program, "--version")$stdout))
}
