ALTER TABLE "log_chunks" ADD COLUMN "first_line" bigint;--> statement-breakpoint
ALTER TABLE "steps" ADD COLUMN "log_counts" json;--> statement-breakpoint
ALTER TABLE "streams" ADD COLUMN "numbered" bigint DEFAULT 0 NOT NULL;