CREATE TABLE "metric_tiers" (
	"job_id" text NOT NULL,
	"name" text NOT NULL,
	"tier" integer NOT NULL,
	"number" bigint NOT NULL,
	"first" bigint NOT NULL,
	"last" bigint,
	"count" bigint NOT NULL,
	"points" json NOT NULL,
	CONSTRAINT "metric_tiers_job_id_name_tier_number_pk" PRIMARY KEY("job_id","name","tier","number")
);
--> statement-breakpoint
ALTER TABLE "streams" ADD COLUMN "tiered" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "metric_tiers_last" ON "metric_tiers" USING btree ("job_id","last");