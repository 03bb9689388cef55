package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connect-testengine/connect-testengine/plugins/api/query"
	"github.com/connect-testengine/connect-testengine/plugins/api/querytest"
)

const randomHealth = 20

// uploadHealthAgrees also holds that the numbers add up: the hours to the whole,
// the list of uploads to the whole, the collectors to the uploads.
func uploadHealthAgrees(t *testing.T, w *World, engine query.Store) {
	for i := range randomHealth {
		q := query.UploadHealthQuery{SuiteKey: w.suite(), Range: w.span(), Problems: i % 3}
		want, err := w.Plain.UploadHealth(t.Context(), q)
		require.NoError(t, err)
		got, err := engine.UploadHealth(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want, got, "%+v", q)

		list, err := engine.Uploads(t.Context(), query.UploadQuery{SuiteKey: q.SuiteKey, Range: q.Range, Paging: query.Paging{Number: 1, Size: 1000}})
		require.NoError(t, err)
		var sum, hours query.UploadTally
		for j := range list.Items {
			one := querytest.OfUpload(&list.Items[j])
			one.Duplicates = list.Items[j].Duplicates
			sum.Add(&one)
		}
		collectors := 0
		for j := range got.Hours {
			hours.Add(&got.Hours[j].UploadTally)
		}
		for _, c := range got.Collectors {
			collectors += c.Uploads
		}
		require.Equal(t, got.Total, sum, "%+v", q)
		require.Equal(t, got.Total, hours)
		require.Equal(t, got.Total.Uploads, collectors)
		require.Equal(t, got.Total.Received, got.Total.Accepted+got.Total.Rejected)
	}
}
