# Nothing here is for cimport: the fits are doors around the likelihoods of `hawkes_terms`.
