-- AlterTable
ALTER TABLE "contact" ADD COLUMN     "viewed_at" TIMESTAMPTZ(3);
