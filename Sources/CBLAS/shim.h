#pragma once
#include <cblas.h>

// The parts of LAPACK that are used here. OpenBLAS holds them; Debian ships no header with them. Matrices are in
// column-major order; a call with lwork = -1 (liwork = -1) only says how much working memory is needed.

// Eigenvalues (w, ascending) and, for jobz = "V", eigenvectors (in place of a) of a symmetric matrix.
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
             const int *lwork, int *iwork, const int *liwork, int *info);

// Singular value decomposition, A = U diag(s) VT; for jobz = "S" the first min(m, n) singular vectors.
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
             const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info);

// Solution (in place of b) of A X = B by elimination with partial pivoting.
void dgesv_(const int *n, const int *nrhs, double *a, const int *lda, int *ipiv, double *b, const int *ldb, int *info);
