# Collation and output chunk: all iterations to one results table.
#
#   Rscript combine-and-process-output.R PARAMETERS.csv FOLDER RESULTS.csv
#
# FOLDER holds the .envs.RDS files that run-simmer.R left, one for each iteration.

library(simmer)
source("R/pathway.R")
source("R/process-output.R")

args <- commandArgs(trailingOnly = TRUE)
p <- read_parameters(args[1])
files <- list.files(args[2], pattern = "\\.envs\\.RDS$", full.names = TRUE)

envs <- lapply(files, readRDS)
results <- process_output(get_mon_attributes(envs), get_mon_resources(envs), p)
write.csv(results, args[3], row.names = FALSE)
