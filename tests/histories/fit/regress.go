package main

import "math"

// row is one judgement: what held, whether the test is flaky, and how much that counts.
type row struct {
	terms  []float32
	flaky  bool
	weight float64
}

// ridge is how strongly weights are held towards zero: those of rare terms stay small.
const ridge = 2

// regress finds the weights with which the sums of terms, as log-odds, make the
// rows likeliest: logistic regression by Newton's method. The first term, the
// bias, is not held towards zero.
func regress(rows []row, n int) []float64 {
	w := make([]float64, n)
	for range 25 {
		gradient := make([]float64, n)
		hessian := make([][]float64, n)
		for i := range hessian {
			hessian[i] = make([]float64, n)
			hessian[i][i] = 1e-6
			if i > 0 {
				hessian[i][i] = ridge
				gradient[i] = -ridge * w[i]
			}
		}
		for i := range rows {
			pull(&rows[i], w, gradient, hessian)
		}
		step := solve(hessian, gradient)
		longest := 0.0
		for i := range w {
			w[i] += step[i]
			longest = max(longest, math.Abs(step[i]))
		}
		if longest < 1e-6 {
			break
		}
	}
	return w
}

// pull adds one row to the gradient and the curvature of the likelihood.
func pull(r *row, w, gradient []float64, hessian [][]float64) {
	var held []int
	z := 0.0
	for i, x := range r.terms {
		if x != 0 {
			held = append(held, i)
			z += w[i] * float64(x)
		}
	}
	p := 1 / (1 + math.Exp(-z))
	miss := -p
	if r.flaky {
		miss++
	}
	for _, i := range held {
		x := float64(r.terms[i])
		gradient[i] += r.weight * miss * x
		for _, k := range held {
			hessian[i][k] += r.weight * p * (1 - p) * x * float64(r.terms[k])
		}
	}
}

// solve solves a x = b for a positive definite a, which it overwrites.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	x := append([]float64(nil), b...)
	for i := range n {
		for k := i + 1; k < n; k++ {
			f := a[k][i] / a[i][i]
			if f == 0 {
				continue
			}
			for c := i; c < n; c++ {
				a[k][c] -= f * a[i][c]
			}
			x[k] -= f * x[i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[i][k] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}

// loss is the mean negative log-likelihood of the rows.
func loss(rows []row, w []float64) (sum float64) {
	for i := range rows {
		z := 0.0
		for k, x := range rows[i].terms {
			z += w[k] * float64(x)
		}
		if rows[i].flaky {
			z = -z
		}
		sum += math.Log1p(math.Exp(z))
	}
	return sum / float64(max(len(rows), 1))
}
