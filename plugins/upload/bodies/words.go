package bodies

var nouns = [20]string{
	"Pipeline", "Account", "Invoice", "Build", "Agent", "Cluster", "Queue", "Member", "Team", "Webhook",
	"Artifact", "Annotation", "Schedule", "Template", "Secret", "Token", "Registry", "Package", "Audit", "Billing",
}

var verbs = [12]string{
	"creates", "rejects", "updates", "deletes", "lists", "shows", "cancels", "retries", "archives", "restores", "exports", "notifies",
}

var conditions = [8]string{
	"when the user is not a member", "when the token has expired", "with a valid payload", "without any permission",
	"when the name is \\\"guest\\\"", "after the trial has ended", "when the queue is paused", "for an administrator",
}

var statements = [4]string{
	`SELECT \"accounts\".* FROM \"accounts\" WHERE \"accounts\".\"id\" = $1 LIMIT 1`,
	`SELECT COUNT(*) FROM \"members\" WHERE \"members\".\"account_id\" = $1 AND \"members\".\"state\" = $2`,
	`INSERT INTO \"audit_events\" (\"account_id\", \"actor_id\", \"kind\") VALUES ($1, $2, $3) RETURNING \"id\"`,
	`UPDATE \"builds\" SET \"state\" = $1, \"updated_at\" = $2 WHERE \"builds\".\"id\" = $3 AND \"builds\".\"state\" = $4`,
}
