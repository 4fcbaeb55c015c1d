ALTER TABLE "streams" ADD COLUMN "is_deleted" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "streams_deleted" ON "streams" USING btree ("job_id") WHERE "streams"."is_deleted";