# The whole-system simulation as two functions: `simulate` is one iteration, `collate` makes one results table of all.
# A number that is not given stands in the parameter sheet.

library(simmer)
source("R/pathway.R")
source("R/process-output.R")

sheet <- read_parameters("inputs/parameters.csv")

simulate <- function(arrivals_per_day = sheet$arrivals_per_day, ward_beds = sheet$ward_beds,
                     community_beds = sheet$community_beds, lounge_share = sheet$lounge_share) {
  pathway(modifyList(sheet, as.list(environment())))
}

collate <- function(objects) {
  list(wssr_results = process_output(get_mon_attributes(objects), get_mon_resources(objects), sheet))
}
